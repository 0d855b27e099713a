"""From demand to shards: verified, filtered, de-duplicated and decontaminated samples."""
