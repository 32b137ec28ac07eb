"""Writes lock.json: locks with log proofs, and whether a loader takes them.

Run `python3 spec/vectors/lock.py` after a change here. The tree is that of RFC 6962, computed here from its definition and by nothing of the code
under test: MTH(D) of section 2.1, and PATH(m, D) of section 2.1.1. The data of a leaf is the RFC 8785 JSON of an entry of the audit log.

`expect` holds `trees` (heads of the log that the lock proves something about) and `unproven` (prompts without a proof), or
`error`: the code that every SDK gives when it opens the lock, and a part of the message.
"""

import copy
import hashlib
import json
from pathlib import Path

HERE = Path(__file__).parent


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def sha256(data):
    return hashlib.sha256(data).digest()


def written(digest):
    return "sha256:" + digest.hex()


def digest(text):
    return written(sha256(text.encode()))


def split(leaves):
    """The largest power of two less than the number of leaves."""
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return half


def tree_hash(leaves):
    if len(leaves) == 1:
        return sha256(b"\0" + leaves[0])
    half = split(leaves)
    return sha256(b"\1" + tree_hash(leaves[:half]) + tree_hash(leaves[half:]))


def path(index, leaves):
    if len(leaves) == 1:
        return []
    half = split(leaves)
    if index < half:
        return path(index, leaves[:half]) + [tree_hash(leaves[half:])]
    return path(index - half, leaves[half:]) + [tree_hash(leaves[:half])]


def entry(action, subject, subject_digest, **details):
    return {
        "time": "2026-05-01T12:00:00Z",
        "actor": "ada@example.com",
        "action": action,
        "subject": subject,
        "digest": subject_digest,
        "details": details,
    }


def prove(log, index, size):
    leaves = [canonical(logged).encode() for logged in log[:size]]
    return {
        "entry": log[index],
        "proof": {
            "index": index,
            "tree": {"size": size, "root": written(tree_hash(leaves))},
            "hashes": [written(node) for node in path(index, leaves)],
        },
    }


def head(proof):
    tree = proof["proof"]["tree"]
    return f"{tree['size']}:{tree['root']}"


def release_of(pins):
    shards = {}
    for id, pin in pins.items():
        shards.setdefault(sha256(id.encode()).hex()[:2], {})[id] = pin
    return {
        "format": 1,
        "environment": "prod",
        "sequence": 7,
        "time": "2026-05-01T12:00:00Z",
        "actor": "ada@example.com",
        "action": "deploy",
        "pins": {name: digest(canonical({"format": 1, "prompts": prompts})) for name, prompts in shards.items()},
    }


def build():
    ids = ["shared.tone", "support.intent", "support.reply"]
    pins = {
        id: {"version": 2, "digest": digest(f"content of {id}"), "record": digest(f"record of {id}")} for id in ids
    }
    release = release_of(pins)
    log = [entry("init", "format.json", digest('{"format":1}'))]
    log += [entry("publish", f"prompts/{id}/0000000002.json", pin["record"], author="ada@example.com") for id, pin in pins.items()]
    log += [entry("evidence", f"evidence/{number}.json", digest(str(number))) for number in range(6)]
    log.append(entry("deploy", f"environments/prod/{7:020}.json", digest(canonical(release)), environment="prod", release="7"))
    log.append(entry("publish", "prompts/late/0000000001.json", digest("late")))

    lock = {"format": 1, "registry": "file://registry", "prompts": pins}
    proof = prove(log, 10, 11)
    released = {**lock, "release": {"environment": "prod", "sequence": 7, "logged": {"record": release, "proof": proof}}}
    proofs = {id: prove(log, number, 4) for number, id in enumerate(ids, 1)}
    named = {**lock, "logged": proofs}

    cases = []

    def case(name, lock, expect, alter=lambda lock: None):
        lock = copy.deepcopy(lock)
        alter(lock)
        cases.append({"name": name, "lock": json.dumps(lock, indent=2) + "\n", "expect": expect})

    def good(name, lock, *trees, unproven=(), alter=lambda lock: None):
        case(name, lock, {"trees": list(trees), "unproven": list(unproven)}, alter)

    def bad(name, lock, message, alter):
        case(name, lock, {"error": {"code": "integrity", "message": message}}, alter)

    good("a release", released, head(proof))
    good("a release that nobody completed", released, alter=lambda lock: lock["release"].pop("logged"), unproven=ids)
    rollout = {"version": 3, "digest": digest("content of a candidate"), "record": digest("record of a candidate"), "buckets": 1000}
    split = {**pins, "support.reply": {**pins["support.reply"], "rollout": rollout}}
    split_release = release_of(split)
    split_log = log[:10] + [entry("deploy", f"environments/prod/{7:020}.json", digest(canonical(split_release)), environment="prod", release="7")]
    split_proof = prove(split_log, 10, 11)
    logged_split = {"environment": "prod", "sequence": 7, "logged": {"record": split_release, "proof": split_proof}}
    split_lock = {**lock, "prompts": split, "release": logged_split}
    reply = lambda lock: lock["prompts"]["support.reply"]
    good("a release with a rollout", split_lock, head(split_proof))
    bad("another share of a rollout", split_lock, "the pins are not those", lambda lock: reply(lock)["rollout"].update(buckets=9000))
    bad("a rollout less", split_lock, "the pins are not those", lambda lock: reply(lock).pop("rollout"))
    bad("a rollout more", released, "the pins are not those", lambda lock: reply(lock).update(rollout=rollout))
    bad("a rollout that no release made", named, "the log proof of `support.reply@3 beside support.reply@2`", lambda lock: reply(lock).update(rollout=rollout))
    good("versions", named, head(proofs["shared.tone"]))
    good("versions without proofs", lock, unproven=ids)
    logged = lambda lock: lock["release"]["logged"]
    bad("another pin", released, "the pins are not those of release 7", lambda lock: lock["prompts"]["support.reply"].update(version=1))
    bad("a pin more", released, "the pins are not those", lambda lock: lock["prompts"].update({"a.b": pins["support.reply"]}))
    bad("a pin less", released, "the pins are not those", lambda lock: lock["prompts"].pop("support.reply"))
    bad("another release", released, "is about `deploy`", lambda lock: lock["release"].update(sequence=6))
    bad("another record", released, "is about `deploy`", lambda lock: logged(lock)["record"].update(actor="eve@example.com"))
    bad("another entry", released, "does not hold the entry", lambda lock: logged(lock)["proof"]["entry"].update(actor="eve@example.com"))
    bad("another place", released, "does not hold the entry", lambda lock: logged(lock)["proof"]["proof"].update(index=9))
    bad("another root", released, "does not hold the entry", lambda lock: logged(lock)["proof"]["proof"]["tree"].update(root=digest("x")))
    bad("a hash less", released, "does not hold the entry", lambda lock: logged(lock)["proof"]["proof"]["hashes"].pop())
    bad("a version that was not published", named, "is about `publish`", lambda lock: lock["prompts"]["support.reply"].update(version=3))
    bad("another record of a version", named, "is about `publish`", lambda lock: lock["prompts"]["support.reply"].update(record=digest("x")))
    swap = lambda lock: lock["logged"].update({"support.reply": lock["logged"]["shared.tone"]})
    bad("the proof of another version", named, "is about `publish`", swap)
    bad("a proof of nothing", named, "which is not pinned", lambda lock: lock["prompts"].pop("support.reply"))
    return {"cases": cases}


(HERE / "lock.json").write_text(json.dumps(build(), indent=1, ensure_ascii=False) + "\n")
