"""The distributed runtime between Kafka and PostgreSQL: in one process, or a role by itself."""

from dwell_service import Service


def system(folder, topics, database_url, *more, command="run", environment=None):
    """A Service that is not started yet: every role, or one of them as a command of its own."""
    database = ["--database-url", database_url]
    clean = [*topics.flags(), "--clean-session-timeout", "6s"]
    store = ["--store-group", topics.name + "-store"]
    roles = {"run": [*clean, *store, *database],
             "clean": clean,
             "store": ["--brokers", topics.broker.address, "--topics-cleaned", topics.cleaned,
                       "--topics-state", topics.state, "--topics-rejected", topics.rejected,
                       "--instance-id", "one", "--clean-session-timeout", "6s", *store, *database],
             "serve": ["--brokers", topics.broker.address, "--topics-input", topics.input,
                       "--topics-keyed", topics.keyed, "--topics-cleaned", topics.cleaned,
                       "--clean-group", topics.group, *database]}
    return Service(folder, *roles[command], *more, command=command, environment=environment)
