"""pyinfra's connector over AWS Systems Manager: commands and files for instances that have no port 22.

`pyinfra @ssm/i-0123456789abcdef0 exec -- uptime`; see docs/aws.md. Nobody can tell here what only reads from what
changes a host: so each command runs once, and to its end, as a change by jada does.
"""

from __future__ import annotations

import base64
import binascii
import re
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from functools import cache
from io import IOBase
from typing import TYPE_CHECKING, Any, TypedDict

from pyinfra.api import QuoteString, StringCommand
from pyinfra.api.exceptions import ConnectError, InventoryError
from pyinfra.api.output import echo, format_text
from pyinfra.api.util import get_file_io
from pyinfra.connectors.base import BaseConnector, DataMeta
from pyinfra.connectors.util import CommandOutput, OutputLine, make_unix_command_for_host

from jada import JadaError, reason
from jada.tasks import shell
from jada.tasks.engines.dispatcher import Acts, Commands, Dispatcher, Managed
from jada.tasks.frames import LookError
from jada.tasks.release import printable

if TYPE_CHECKING:
    from typing import Unpack

    from pyinfra.api.arguments import ConnectorArguments

INSTANCE = re.compile(r"m?i-[0-9a-f]{8,17}")
# Seconds that a command without a _timeout may take, as AWS-RunShellScript has it; and for AWS to end one beside that.
LONGEST, BESIDE = 3600, 60
# Characters of a line that is shown.
MOST_SHOWN = 4000


class Data(TypedDict):
    ssm_instance: str
    ssm_region: str
    ssm_profile: str
    ssm_commands: object


class ManagedConnector(BaseConnector):
    """An instance by its id. How its region's Run Command is had, those below it know."""

    handles_execution = True
    data_cls = Data
    data_meta = {  # noqa: RUF012 - pyinfra's own type
        "ssm_instance": DataMeta("The id of the instance, where the host's name is another", ""),
        "ssm_region": DataMeta("Its region, where that is not the AWS profile's or the environment's", ""),
        "ssm_profile": DataMeta("The AWS profile, where that is not the environment's", ""),
        "ssm_commands": DataMeta("Run Command, as jada's inventory for pyinfra hands it over", None),
    }
    data: Data
    _managed: Managed | None = None

    @abstractmethod
    def run_command(self, profile: str, region: str) -> Commands:
        """Run Command with a profile of AWS in a region, "" for the environment's own."""

    @staticmethod
    def make_names_data(name: str | None = None) -> Iterator[tuple[str, dict[str, Any], list[str]]]:
        """The host of `@ssm/NAME`: by the id of its instance, or by a name whose data have that."""
        if not name:
            raise InventoryError("@ssm needs the id of an instance: @ssm/i-0123456789abcdef0")
        yield (f"@ssm/{name}", {"ssm_instance": name}, ["@ssm"]) if INSTANCE.fullmatch(name) else (name, {}, ["@ssm"])

    def connect(self) -> None:
        """Sees that commands get to the instance. Raises ConnectError."""
        instance = self.data["ssm_instance"]
        if not INSTANCE.fullmatch(instance):
            raise ConnectError("its data have no ssm_instance, the id of an EC2 instance")
        try:
            commands = self.data["ssm_commands"] or self.run_command(self.data["ssm_profile"], self.data["ssm_region"])
            self._managed = Managed(_dispatcher(commands), instance)
            self._run(":", b"", LONGEST)
        except OSError as error:
            self._managed = None
            is_named = self.data["ssm_region"] or self.data["ssm_commands"]
            where = (
                "" if is_named else " (asked in the region of the AWS profile; `ssm_region` in its data names another)"
            )
            raise ConnectError(f"{error}{where}") from None

    def disconnect(self) -> None:
        """Nothing is kept."""

    def run_shell_command(
        self,
        command: StringCommand,
        print_output: bool = False,
        print_input: bool = False,
        **arguments: Unpack[ConnectorArguments],
    ) -> tuple[bool, CommandOutput]:
        """Runs a command; returns True if it succeeded, and its lines. Raises OSError, and TimeoutError."""
        seconds, stdin = arguments.pop("_timeout", None), arguments.pop("_stdin", None)
        codes = arguments.pop("_success_exit_codes", None) or (0,)
        arguments.pop("_get_pty", None)
        # The agent is root, whom neither asks for one: AWS would keep the text that has it.
        arguments.pop("_sudo_password", None)
        arguments.pop("_su_password", None)
        unix_command = make_unix_command_for_host(self.state, self.host, command, **arguments)
        if print_input:
            echo(f"{self.host.print_prefix}>>> {unix_command}", err=True)
        said = self._run(unix_command.get_raw_value(), _bytes(stdin), int(seconds or LONGEST))
        if print_output:
            for stream, line in said.lines:
                shown = printable(line, most=MOST_SHOWN)
                echo(self.host.print_prefix + (format_text(shown, "red") if stream == "stderr" else shown), err=True)
        return said.code in codes, CommandOutput([OutputLine(stream, line) for stream, line in said.lines])

    def put_file(
        self,
        filename_or_io: str | IOBase,
        remote_filename: str,
        remote_temp_filename: str | None = None,  # noqa: ARG002 - it comes whole, or nothing of it is written
        print_output: bool = False,
        print_input: bool = False,
        **arguments: Unpack[ConnectorArguments],
    ) -> bool:
        """Writes a file there, as the user whom sudo or su make of root. Raises OSError."""
        with get_file_io(filename_or_io) as file:  # type: ignore[arg-type] # as pyinfra's own do
            content = file.read()
        arguments["_stdin"] = content if isinstance(content, bytes) else content.encode()  # type: ignore[typeddict-item]
        command = StringCommand("cat", ">", QuoteString(remote_filename))
        return self._transfer("uploaded", remote_filename, command, print_output, print_input, **arguments) is not None

    def get_file(
        self,
        remote_filename: str,
        filename_or_io: str | IOBase,
        remote_temp_filename: str | None = None,  # noqa: ARG002
        print_output: bool = False,
        print_input: bool = False,
        **arguments: Unpack[ConnectorArguments],
    ) -> bool:
        """Reads a file there, as the user whom sudo or su make of root. Raises OSError."""
        command = StringCommand("base64", "<", QuoteString(remote_filename))
        lines = self._transfer("downloaded", remote_filename, command, print_output, print_input, **arguments)
        if lines is None:
            return False
        try:
            content = base64.b64decode("".join(lines), validate=True)
        except binascii.Error:
            raise OSError(f"{remote_filename} did not come whole") from None
        with get_file_io(filename_or_io, "wb") as file:  # type: ignore[arg-type]
            file.write(content)
        return True

    def _transfer(
        self, done: str, path: str, command: StringCommand, print_output: bool, print_input: bool, **arguments: Any
    ) -> list[str] | None:
        """The lines of a command that moves a file; None where it failed, which is told."""
        is_done, output = self.run_shell_command(command, print_input=print_input, **arguments)
        if not is_done:
            words = printable(" ".join(output.stderr_lines), most=MOST_SHOWN)
            echo(f"{self.host.print_prefix}{format_text(f'{path} was not {done}: {words}', 'red')}", err=True)
        elif print_output:
            echo(f"{self.host.print_prefix}file {done}: {path}", err=True)
        return output.stdout_lines if is_done else None

    def _run(self, command: str, stdin: bytes, longest: int) -> shell.Said:
        if self._managed is None:
            raise OSError("it is not connected")
        try:
            with self._managed.acts.busy():
                text = self._managed.run(lambda: shell.script(command, stdin, longest), longest + BESIDE, changes=True)
            return shell.read(text)
        except shell.LateError:
            raise TimeoutError from None
        except LookError as error:
            raise OSError(str(error)) from None
        except JadaError as error:
            # pyinfra takes these alone for one host's trouble.
            raise OSError(f"{error.message}; {error.hint}" if error.hint else error.message) from None
        except Exception as error:
            raise OSError(f"jada could not go on with it ({reason(error)})") from error


@cache
def _dispatcher(commands: Commands) -> Dispatcher:
    """The one that hosts share which have the same Run Command."""
    return Dispatcher(commands, Acts())


def _bytes(stdin: Any) -> bytes:
    """What pyinfra's other connectors write for this `_stdin`: each line of it, with its end."""
    if isinstance(stdin, bytes):
        return stdin
    lines: Sequence[str] = stdin.readlines() if hasattr(stdin, "readlines") else stdin or ()
    lines = [lines] if isinstance(lines, str) else lines
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines).encode()
