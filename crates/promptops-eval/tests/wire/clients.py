"""Asks the server of vendors.py with the vendors' own clients, and prints what these read out of its replies."""

import json
import sys

from readings import READINGS

for name, ask in READINGS.items():
    for kind in ["text", "tools", "refusal"]:
        for is_stream in [False, True]:
            print(json.dumps({"api": name, "kind": kind, "stream": is_stream, "read": ask(sys.argv[1], kind, is_stream)}))
