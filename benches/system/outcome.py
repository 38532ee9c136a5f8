"""What a part hands back."""

from dataclasses import dataclass, field


@dataclass
class Outcome:
    """`text` is its section; `measured` maps keys of targets to values, one a round; `faults` make the bench fail."""

    text: str
    measured: dict = field(default_factory=dict)
    faults: list = field(default_factory=list)
    raw: dict = field(default_factory=dict)
