"""rsyslog and syslog-ng as Debian has them, unpacked beside us: each listens to a socket of its own and sends on what `logger` says there."""

import os
import pathlib
import subprocess

from server import until

CACHE = pathlib.Path(os.environ.get("SIGNALBOX_CACHE") or pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "signalbox")
LIBRARIES = "usr/lib/x86_64-linux-gnu"


class Daemon:
    """One running daemon; ends with the `with` block."""

    def __init__(self, folder, command, libraries):
        self.inlet = folder / "inlet"
        self.log = folder / "log"
        self.command = command
        self.environment = os.environ | {"LD_LIBRARY_PATH": ":".join(str(path) for path in libraries)}

    def __enter__(self):
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(self.command, env=self.environment, stdout=log, stderr=log)
        until(lambda: self.inlet.is_socket() or self.ended(), "the socket of the daemon")
        return self

    def ended(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"the daemon ended with {self.process.returncode}:\n{self.log.read_text()}")

    def say(self, text, *flags):
        # A socket is there a moment before somebody listens.
        command = ["logger", "-u", str(self.inlet), "--socket-errors=on", *flags, text]
        until(lambda: self.ended() or subprocess.run(command, timeout=60, capture_output=True).returncode == 0, "the daemon to listen")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(60)


def rsyslog(folder, actions, authority=""):
    """`actions` are those of its configuration; `authority` is a file of certificates to believe."""
    root = CACHE / "debian" / "rsyslog"
    folder.mkdir()
    known = f'global(DefaultNetstreamDriverCAFile="{authority}")' if authority else ""
    lines = ['module(load="imuxsock" SysSock.Use="off")', f'input(type="imuxsock" Socket="{folder}/inlet")', f'global(workDirectory="{folder}")', known, *actions]
    (folder / "conf").write_text("\n".join(lines) + "\n")
    modules = f"{root}/{LIBRARIES}/rsyslog"
    return Daemon(folder, [f"{root}/usr/sbin/rsyslogd", "-n", "-f", f"{folder}/conf", "-i", f"{folder}/pid", "-M", modules], [root / LIBRARIES])


def syslog_ng(folder, destinations):
    """`destinations` are what stands between the braces of a destination, each."""
    root = CACHE / "debian" / "syslog-ng-core"
    [version] = [path for path in (root / "usr/lib/syslog-ng").iterdir() if path.name[0].isdigit()]
    folder.mkdir()
    lines = [f"@version: {version.name}", "options { keep-hostname(yes); stats-freq(0); };", f'source s {{ unix-dgram("{folder}/inlet"); }};']
    for number, destination in enumerate(destinations):
        lines += [f"destination d{number} {{ {destination}; }};", f"log {{ source(s); destination(d{number}); }};"]
    (folder / "conf").write_text("\n".join(lines) + "\n")
    own = ["-R", f"{folder}/persist", "-p", f"{folder}/pid", "-c", f"{folder}/ctl", "--no-caps", f"--module-path={version}"]
    libraries = [root / LIBRARIES, root / "lib/x86_64-linux-gnu", version.parent, version]
    return Daemon(folder, [f"{root}/usr/sbin/syslog-ng", "-F", "-f", f"{folder}/conf", *own], libraries)
