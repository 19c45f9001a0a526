"""The command lines that run one job with different programs."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from job import Job
from rounds import Contender

HERE = Path(__file__).parent


class JobCommands:
    """The commands for a job.

    Args:
        name: The base name of the files that describe the job.
        job: The files to download.
        objects: The folder that nginx serves the files from.
        scratch: The folder for the files that describe the job.
    """

    def __init__(self, name: str, job: Job, objects: Path, scratch: Path) -> None:
        self._job = job
        self._path = scratch / f"{name}.json"
        self._list = scratch / f"{name}.curl"
        job.write(self._path)
        entries = [f'url = "{file.url}"\noutput = "{file.name}"\n' for file in job.files]
        self._list.write_text("".join(entries), encoding="utf-8")
        self.files: Mapping[str, Path] = {
            file.name: objects / file.url.partition("?")[0].rpartition("/")[2] for file in job.files
        }

    def python(self, name: str, peer: str, *options: str) -> Contender:
        """Return the command of a script in `peers/`."""
        script = str(HERE / "peers" / f"{peer}.py")
        return Contender(
            name,
            lambda folder: [sys.executable, script, str(self._path), str(folder), *options],
            self.files,
            ours=peer.startswith("ours"),
        )

    def curl(self) -> Contender:
        """Return the command of curl, with `--parallel` for more than one file."""
        side = ["--parallel", "--parallel-max", str(self._job.workers)] if len(self._job.files) > 1 else []
        trust = ["--cacert", self._job.authority] if self._job.authority else []
        base = ["curl", "-sS", "-f", *side, *trust, "-K", str(self._list), "--output-dir"]
        return Contender("curl", lambda folder: [*base, str(folder)], self.files)

    def curl_then(self, tool: str) -> Contender:
        """Return the command of curl, followed by `tool` on its file."""
        (file,) = self._job.files
        base = shlex.join(["curl", "-sS", "-f", "-K", str(self._list), "--output-dir"])

        def command(folder: Path) -> list[str]:
            target = shlex.quote(str(folder))
            return ["sh", "-c", f"{base} {target} && {tool} {target}/{file.name} > {target}/sum"]

        return Contender(f"curl, {tool}", command, self.files)

    def aria2c(self, connections: int) -> Contender:
        """Return the command of aria2c with its fastest settings: smallest pieces, no preallocation."""
        base = ["aria2c", "-q", "--no-conf", "--file-allocation=none", "-k1M", f"-x{connections}"]
        (file,) = self._job.files
        rest = [f"-s{connections}", "-o", file.name, file.url, "-d"]
        return Contender(
            f"aria2c -x{connections} -s{connections}",
            lambda folder: [*base, *rest, str(folder)],
            self.files,
        )
