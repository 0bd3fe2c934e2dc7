def restart_rows(bench, options): return []
def latency_rows(bench, options): return []
