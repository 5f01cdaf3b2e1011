"""Other auditors, each asked in an environment of its own; read beside ours by `scripts.bench_auditors`."""
