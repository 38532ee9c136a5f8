"""The events that are sent: 64 variants of exactly 1 KiB (or a multiple), equal but for the `messageId`.

An event is `OPEN`, a message id of fixed length, and one of `tails`. All load generators build their requests from
these three, so that making an event costs them one concatenation: they share the machine with what is measured.
"""

import json

VARIANTS = 64
KIB = 1024
OPEN = '{"messageId":"'
# A token of eight characters, the sender's number of two, and the number of the event.
ID_FORMAT = "{token}-{sender:02d}-{number}"
FIRST_NUMBER = 1_000_000_000
ID_LENGTH = 22
WORDS = "river stone lamp orbit "


def tails(kib=1):
    """What follows the message id, in each variant."""
    return [_tail(variant, kib * KIB - len(OPEN) - ID_LENGTH) for variant in range(VARIANTS)]


def whole(kib=1):
    """An event as a sender would send it."""
    return OPEN + ID_FORMAT.format(token="0" * 8, sender=0, number=FIRST_NUMBER) + tails(kib)[0]


def _tail(variant, length):
    event = {
        "type": "track",
        "event": "unit.viewed",
        "userId": 1000 + variant * 7,
        "anonymousId": f"a-{variant:04d}",
        "channel": "server",
        "timestamp": f"2026-03-01T00:00:{variant % 60:02d}.123Z",
        "context": {
            "ip": f"203.0.113.{variant + 1}",
            "userAgent": "Mozilla/5.0 (X11; Linux x86_64)",
            "locale": "en-GB",
            "app": {"name": "acme", "version": "5.4.1"},
        },
        "properties": {
            "name": "acme.unit.viewed",
            "page": f"screen/{variant % 9}",
            "value": variant + 0.25,
            "label": "",
        },
    }
    # Larger events are so by structure, as real ones are, rather than by one long string.
    if length > 2 * KIB:
        item = {"sku": f"sku-{variant:03d}", "name": "river stone", "price": 12.5, "quantity": 3, "tags": ["a", "b"]}
        event["properties"]["items"] = [item] * ((length - KIB) // (len(_compact(item)) + 1))
    words = WORDS[variant % len(WORDS):] + WORDS * (2 * KIB // len(WORDS))
    event["properties"]["label"] = words[: length - len(_text(event))]
    return _text(event)


def _text(event):
    return '",' + _compact(event)[1:]


def _compact(value):
    return json.dumps(value, separators=(",", ":"))


if __name__ == "__main__":
    for size in (1, 4, 16, 64):
        assert len(whole(size)) == size * KIB, (size, len(whole(size)))
        assert all(len(tail) == len(tails(size)[0]) for tail in tails(size))
        json.loads(whole(size))
    print(whole())
