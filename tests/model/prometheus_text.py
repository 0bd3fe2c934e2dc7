"""What a page in Prometheus' text format says."""
import re


class Samples(dict):
    """{name{labels}: value}. A name with some of the labels, or none, gives the sum of those that
    have them."""

    def __init__(self, text):
        pairs = (line.rsplit(" ", 1) for line in text.splitlines() if line and line[0] != "#")
        super().__init__((name, float(value)) for name, value in pairs)

    def __missing__(self, asked):
        name, labels = split(asked)
        found = [value for key, value in self.items()
                 for base, own in [split(key)] if base == name and labels <= own]
        if not found:
            raise KeyError(asked)
        return sum(found)

    def get(self, asked, default=None):
        try:
            return self[asked]
        except KeyError:
            return default


def split(key):
    """The name of a sample and the set of its labels."""
    name, _, labels = key.partition("{")
    return name, set(re.findall(r'\w+="[^"]*"', labels))
