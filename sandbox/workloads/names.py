"""Names as the Kubernetes controllers make them: `parking-7c89b6b67c-65grb`.

A ReplicaSet is named after its Deployment and a hash of the pod template, a pod after its ReplicaSet and five random
characters. The alphabet has no vowels and no 0, 1 and 3, so that no name spells a word.
"""

import hashlib
from random import Random

import orjson

from sandbox.workloads.objects import Json

_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"


def template_hash(template: Json) -> str:
    """The `pod-template-hash` of a pod template: the same for equal templates, up to ten characters."""
    digest = hashlib.sha256(orjson.dumps(template, option=orjson.OPT_SORT_KEYS)).digest()
    number = str(int.from_bytes(digest[:4], "big"))
    return "".join(_ALPHABET[ord(digit) % len(_ALPHABET)] for digit in number)


def random_suffix(random: Random) -> str:
    """Five characters to tell siblings apart."""
    return "".join(random.choices(_ALPHABET, k=5))
