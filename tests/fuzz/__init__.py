"""Every parser of strangers' files, under fuzzers."""
