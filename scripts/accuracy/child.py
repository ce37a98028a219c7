"""Programs that a run starts, and what Ctrl-C means for them."""

import os
import signal
import subprocess

from common import Failure


class Children:
    """One at a time. A stop signal goes to the child once, which then saves and ends.

    The child has a process group of its own: a terminal's Ctrl-C would reach it as well, and the
    second signal ends a training without saving.
    """

    def __init__(self):
        self.stopped_by = None  # the signal
        self.process = None
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._stop)
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # which nohup sets
            signal.signal(signal.SIGHUP, self._stop)
        signal.signal(signal.SIGTSTP, self._pause)

    def _stop(self, number, _):
        if self.process and self.stopped_by is None:
            self.process.send_signal(number)
        self.stopped_by = number

    def _pause(self, *_):
        """Ctrl-Z: both stand still until `fg` or `bg`."""
        if self.process:
            self.process.send_signal(signal.SIGSTOP)
        os.kill(os.getpid(), signal.SIGSTOP)
        if self.process:
            self.process.send_signal(signal.SIGCONT)

    def run(self, command, keep_open=()):
        """Its status; its output goes where ours goes."""
        if self.stopped_by:
            return 128 + self.stopped_by
        with subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL,
                              process_group=0, pass_fds=keep_open) as self.process:
            # A signal between the test above and here went to nobody.
            if self.stopped_by:
                self.process.send_signal(self.stopped_by)
            status = self.process.wait()
        self.process = None
        return status


def run_quietly(command, what):
    """A program that soon ends; what it prints is of interest only when it fails."""
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, text=True,
                          capture_output=True)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
        raise Failure(f"{what}: {last}")
    return done.stdout
