"""Ctrl-C at any moment of any command: 130, one word, and nothing is done after it."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

# A command in one of the ways it can be at its work; it says when it is.
WORK = """
import sys
import click
from jada.cli import entry, main, signals

def spin():
    while True:
        sum(range(1000))

def begun():
    print("begun", flush=True)

def at_once():
    begun()
    spin()

def in_other_words():
    try:
        at_once()
    except KeyboardInterrupt:
        raise TypeError from None

class Dying:
    def __del__(self):
        begun()
        while not signals.stopped():
            pass

def in_a_destructor():
    Dying()
    signals.check()
    print("changed")

def with_gevent(act):
    def work():
        from jada.cli.startup import patch_gevent
        patch_gevent()
        return act()
    return work

def guarded():
    # Errors that one host's trouble may be caught as, with the signal in the middle of it.
    import gevent
    while True:
        try:
            gevent.sleep(0)
            sum(range(1000))
        except BaseException as error:
            if isinstance(error, gevent.GreenletExit):
                raise

def hosts():
    from gevent.pool import Pool
    begun()
    list(Pool(2).imap_unordered(lambda _: guarded(), range(2)))

def swallowed():
    import gevent
    begun()
    try:
        gevent.sleep(600)
    except BaseException:
        pass
    signals.check()
    print("changed")

def changing():
    import gevent
    told = []
    def tell():
        print("stopping", flush=True)
        told.append(signals.stopped())
    with signals.held(tell):
        begun()
        # It is told soon after it is known: not before whatever else is due at that moment.
        while told != [True]:
            gevent.sleep(0.01)
        if sys.argv[2:]:
            gevent.sleep(600)
    print("told")
    return 4

def after_all():
    begun()
    from jada.cli.startup import patch_gevent
    patch_gevent()
    signals.over = lambda code, over=signals.over: (over(code), print("over", flush=True), spin())

works = {
    "at once": at_once, "in other words": in_other_words, "in a destructor": in_a_destructor,
    "hosts": with_gevent(hosts), "swallowed": with_gevent(swallowed), "compute": with_gevent(at_once),
    "changing": with_gevent(changing), "after all": after_all,
}
more = click.Argument(["more"], nargs=-1)

def resolve(ctx, args):
    return args[0], click.Command(args[0], callback=lambda more: works[args[0]](), params=[more]), args[1:]

main.jada.resolve_command = resolve
main.jada.get_command = lambda ctx, name: None
entry.main()
"""


def started(*words: str) -> subprocess.Popen[str]:
    argv = [sys.executable, "-c", WORK, *words]
    running = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert running.stdout is not None
    assert running.stdout.readline() == "begun\n"
    return running


@pytest.mark.parametrize("how", ["at once", "in other words", "in a destructor", "hosts", "swallowed", "compute"])
def test_ctrl_c_ends_a_command_wherever_it_is(how: str) -> None:
    running = started(how)
    running.send_signal(signal.SIGINT)
    output, error = running.communicate()
    assert (running.returncode, output, error.strip()) == (130, "", "Stopped.")


def test_the_first_ctrl_c_lets_hosts_that_are_being_changed_end() -> None:
    running = started("changing")
    running.send_signal(signal.SIGINT)
    output, error = running.communicate()
    assert (running.returncode, output, error) == (4, "stopping\ntold\n", "")


def test_the_second_ctrl_c_leaves_them() -> None:
    running = started("changing", "for long")
    running.send_signal(signal.SIGINT)
    assert running.stdout is not None
    assert running.stdout.readline() == "stopping\n"
    running.send_signal(signal.SIGINT)
    output, error = running.communicate()
    assert (running.returncode, output, error.strip()) == (130, "", "Stopped.")


def test_what_is_done_already_is_not_called_stopped() -> None:
    running = started("after all")
    assert running.stdout is not None
    assert running.stdout.readline() == "over\n"
    running.send_signal(signal.SIGINT)
    assert (running.wait(), running.communicate()) == (0, ("", ""))


def test_a_command_in_the_background_of_a_script_leaves_ctrl_c_to_others() -> None:
    program = "from jada.cli import signals; import signal; signals.begin(); print(signal.getsignal(2).name)"
    argv = ["sh", "-c", 'trap "" INT; exec "$0" -c "$1"', sys.executable, program]
    assert subprocess.run(argv, capture_output=True, text=True, check=True).stdout == "SIG_IGN\n"
