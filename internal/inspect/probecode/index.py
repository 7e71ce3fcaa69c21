"""What layerd doctor --probe runs: imports, and says where from. Values of variables stay here."""
import importlib
import os
import sys


def version_of(name, module):
    try:
        from importlib import metadata
        return metadata.version(name.split(".")[0])
    except Exception:
        return str(getattr(module, "__version__", ""))


def handler(event, context):
    modules = []
    for name in event.get("imports", []):
        try:
            module = importlib.import_module(name)
            where = getattr(module, "__file__", None) or ", ".join(list(getattr(module, "__path__", [])))
            modules.append({"name": name, "file": where, "version": version_of(name, module)})
        except BaseException as e:  # a module may do anything, also end the process
            modules.append({"name": name, "error": "%s: %s" % (type(e).__name__, e)})
    return {
        "layerd": 1,
        "runtime": sys.version.split()[0],
        "path": list(sys.path),
        "modules": modules,
        "variables": sorted(os.environ),
    }
