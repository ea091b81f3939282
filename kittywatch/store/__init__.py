"""queue.db: ledger, queue and clock, one transaction for all three (rule O8). Knows neither git nor the network."""
