"""What the image's build runs in its base: removes the installers that came with it, pip and what pip brings."""

import shutil
import sysconfig
from pathlib import Path

paths = sysconfig.get_paths()
libraries = {Path(paths["purelib"]), Path(paths["platlib"])}
patterns = [
    *("pip", "pip-*", "setuptools", "setuptools-*", "wheel", "wheel-*"),
    *("pkg_resources", "_distutils_hack", "distutils-precedence.pth"),
]
found = [path for library in libraries for pattern in patterns for path in library.glob(pattern)]
found += Path(paths["scripts"]).glob("pip*")
found += Path(paths["stdlib"]).glob("ensurepip")
for path in found:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
