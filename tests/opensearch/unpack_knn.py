"""Takes the k-NN plugin's jars out of its archive: python3 unpack_knn.py FOLDER. What OpenSearch brings itself stays behind."""

import pathlib
import sys
import zipfile

folder = pathlib.Path(sys.argv[1])
for archive in folder.glob("opensearch-knn-*.zip"):
    with zipfile.ZipFile(archive) as opened:
        for name in opened.namelist():
            if name.endswith(".jar") and not name.startswith(("slf4j", "httpc")):
                (folder / name).write_bytes(opened.read(name))
    archive.unlink()
