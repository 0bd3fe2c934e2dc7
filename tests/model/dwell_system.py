"""The distributed runtime in one process, `dwell run` between Kafka and PostgreSQL."""

from dwell_service import Service


def system(folder, topics, database_url, *more, command="run"):
    """A Service that is not started yet: every role, or one of them as a command of its own."""
    roles = {"run": [*topics.flags(), "--clean-session-timeout", "6s",
                     "--store-group", topics.name + "-store"],
             "serve": ["--brokers", topics.broker.address, "--topics-input", topics.input,
                       "--topics-keyed", topics.keyed, "--topics-cleaned", topics.cleaned,
                       "--clean-group", topics.group]}
    return Service(folder, *roles[command], "--database-url", database_url, *more,
                   command=command)
