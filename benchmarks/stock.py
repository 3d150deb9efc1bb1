"""The same change by pyinfra's stock operations: `pyinfra inventory.py stock.py --data model=…`."""

from io import StringIO

from pyinfra.context import host
from pyinfra.operations import files, server, systemd

model = host.data.model

files.replace(
    path="/home/agent/.claude/settings.json",
    text=r'("model" *: *")claude-[^"]*',
    replace=rf"\1{model}",
    extended_regex=True,
    _sudo=True,
)
files.put(
    src=StringIO(f"[Service]\nLimitNOFILE=20000\nLogExtraFields=JADA_MODEL={model}\n"),
    dest="/etc/systemd/system/jada-agent.service.d/60-bench.conf",
    mode="644",
    _sudo=True,
)
systemd.service(service="jada-agent", restarted=True, daemon_reload=True, _sudo=True)
server.shell(
    commands=[
        f"for _ in $(seq 200); do curl -fs http://127.0.0.1:8787/healthz | grep -q '\"{model}\"' && exit 0; "
        "sleep 0.1; done; exit 1"
    ],
    _sudo=True,
)
