"""The closed loop: train, measure, judge, find what lags, synthesize for it, train again."""
