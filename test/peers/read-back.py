"""Reads with pydicom what a patch left: one JSON line per pair of files on standard input, [before, after].

Says of each: who it is about, and which other elements of the top level are not as they were before.
"""
import json
import sys
import warnings

import pydicom
from pydicom.tag import Tag

warnings.simplefilter("ignore")

# What a patch may write, and the lengths that count it.
PATCHED = {0x00100020, 0x00100021, 0x00100022, 0x00100024, 0x00101000, 0x00101002, 0x04000561}


def text(dataset, tag):
    element = dataset.get(Tag(tag))
    if element is None or element.value is None:
        return ""
    value = element.value
    return "\\".join(value) if isinstance(value, (list, pydicom.multival.MultiValue)) else str(value)


def identity(dataset):
    qualifiers = dataset.get(Tag(0x00100024))
    items = qualifiers.value if qualifiers is not None and qualifiers.VR == "SQ" else []
    first = items[0] if len(items) > 0 else pydicom.Dataset()
    return {
        "patientId": text(dataset, 0x00100020),
        "issuer": text(dataset, 0x00100021),
        "type": text(dataset, 0x00100022),
        "universalEntityId": text(first, 0x00400032),
        "universalEntityIdType": text(first, 0x00400033),
        "identifierTypeCode": text(first, 0x00400035),
    }


def others(dataset):
    sequence = dataset.get(Tag(0x00101002))
    if sequence is None or sequence.VR != "SQ":
        return []
    return [identity(item) for item in sequence.value]


def rest(dataset):
    """Every element but those, as text: tag, VR and value."""
    kept = {}
    for tag in dataset.keys():
        if tag in PATCHED or tag.element == 0:
            continue
        try:
            element = dataset[tag]
            kept[str(tag)] = f"{element.VR} {element.value!r}"
        except Exception as problem:  # what cannot be read before is not read after, either
            kept[str(tag)] = type(problem).__name__
    return kept


def read(path):
    return pydicom.dcmread(path, force=True)


for line in sys.stdin:
    before, after = json.loads(line)
    said = {"file": after}
    try:
        one = read(before)
        one_rest = rest(one)
    except Exception as problem:
        one = None
        said["unreadBefore"] = type(problem).__name__
    try:
        other = read(after)
        said["own"] = identity(other)
        said["retired"] = text(other, 0x00101000)
        said["others"] = others(other)
        said["original"] = len(other.get(Tag(0x04000561), pydicom.DataElement(Tag(0x04000561), "SQ", [])).value or [])
        if one is not None:
            now = rest(other)
            said["before"] = {"own": identity(one), "retired": text(one, 0x00101000), "others": others(one)}
            said["changed"] = sorted(
                tag for tag in {**one_rest, **now} if one_rest.get(tag) != now.get(tag)
            )
    except Exception as problem:
        said["unread"] = type(problem).__name__ + ": " + str(problem)[:200]
    print(json.dumps(said), flush=True)
