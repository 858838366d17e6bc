"""A session: an engine that works in the background and is steered while it does."""

from __future__ import annotations

import copy
import functools
import os
from pathlib import Path
from typing import Any, Self

import torch

from np_widgets import arguments
from np_widgets.learning.course import Course
from np_widgets.learning.driving import own_torch_threads
from np_widgets.learning.engine import Engine
from np_widgets.problems import Problem
from np_widgets.sessions.background import Background
from np_widgets.sessions.code import beginning, plain, written
from np_widgets.sessions.files import read, write
from np_widgets.sessions.history import History
from np_widgets.sessions.moments import Moment


class Session(Background):
    """Runs an engine on a thread of its own.

    Parameters
    ----------
    engine
        What to run. The session claims it until :meth:`close`: meanwhile look at :attr:`frame`, and change it through
        the session only.
    torch_threads
        How many threads torch may use inside one operation on the session's thread; elsewhere nothing changes. One
        is fastest for small problems; None leaves torch's own choice.
    history_bytes
        How much memory :attr:`history` may take; see :class:`~np_widgets.sessions.history.History` for what it keeps.
    autosave
        A path to save the session to: every 30 s, at landmarks, whenever it stops, and when it is closed. If that
        fails, so does the session.

    Raises
    ------
    TypeError
        If ``engine`` is not an :class:`~np_widgets.learning.engine.Engine`.
    RuntimeError
        If something else drives the engine.

    Notes
    -----
    **Commands** (``resume``, ``pause``, ``step``, and the engine's actions such as ``add_neuron``) may come from any
    thread. They are obeyed in the order in which they came, between two advances of the engine; the method returns
    when that is done, and raises what made the command be refused. A refused command changes nothing.
    Ctrl-C while a method waits ends the waiting, not the command and not the session. On the session's own thread (in
    an observer) the methods cannot wait: there they only queue the command, and return None.

    **Determinism.** No clock decides anything but when the engine advances and when frames are made. The same commands
    after the same numbers of advances give bitwise the same result on the same machine, as long as ``torch_threads``
    is the same.

    **Failures.** Before every advance and every action the engine's state is kept; if an exception comes out of it,
    the engine is put back to that state. An action that raises is a refused command, no more. An exception from an
    advance, from making a frame or from an observer makes the status ``"failed"`` and stands in :attr:`error`; the last
    good state and frame remain. :meth:`resume`, :meth:`step` and :meth:`reset` clear the error and go on from there.

    **Rest.** A widget lets the session that it has made rest while nobody can see the widget: :attr:`status` is
    ``"paused"`` and :attr:`resting` says why. Whoever waits for the session (:meth:`wait`, :meth:`next_frame`) or
    observes it makes it go on where it was; commands do what they do to any paused session. While somebody waits or
    observes, and during steps, it does not rest.

    Several sessions that run at the same time take turns; that changes no bit of their results.

    A session that nobody refers to any more, and every session at the end of the interpreter, stops by itself.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        torch_threads: int | None = 1,
        history_bytes: int = 20_000_000,
        autosave: str | os.PathLike[str] | None = None,
    ) -> None:
        if not isinstance(engine, Engine):
            raise TypeError(f"engine must be an Engine such as a NeuronPursuit, got {type(engine).__name__}")
        if torch_threads is not None:
            torch_threads = arguments.whole("torch_threads", torch_threads, 1)
        self._begin(engine, torch_threads, arguments.whole("history_bytes", history_bytes, 0), autosave)

    @classmethod
    def _of(cls, engine: Engine, history: History, torch_threads: int | None, autosave: Any = None) -> Self:
        """A session that goes on with a history."""
        session = object.__new__(cls)
        session._begin(engine, torch_threads, history, autosave)
        return session

    @property
    def history(self) -> History:
        """What is kept of what has been: ``history.moments``, ``history.frame(moment)``, ``history.nbytes``."""
        return self._worker.history

    def resume(self) -> None:
        """Run until :meth:`pause`, a failure or the end; no effect on a finished engine."""
        self._call("resume")

    def pause(self) -> None:
        """Stop after the current advance. Steps under way end here."""
        self._call("pause")

    def step(self, count: int = 1) -> int | None:
        """Make ``count`` advances, then pause; commands that come meanwhile are obeyed in between.

        A later ``step`` begins when this one is done. ``pause``, ``resume``, ``reset`` and the engine's end cut it
        short.

        Returns
        -------
        int or None
            How many advances were made; None on the session's own thread, where the step is only queued.

        Raises
        ------
        RuntimeError
            If the session fails meanwhile, from that error.
        """
        done: int | None = self._call("step", count)
        return done

    def add_neuron(
        self,
        layer: int | None = None,
        last: int | None = None,
        *,
        candidate: int | None = None,
        incoming: Any = None,
        outgoing: Any = None,
    ) -> Any:
        """Let the engine add a neuron, or one in each of the layers ``layer … last``; see the engine's ``add_neuron``.

        With ``candidate`` it is that one of ``frame.candidates``, with ``incoming`` one of your own.

        The method returns when the engine has been told. A session that is paused or finished then runs until the
        neuron is there and trained, and pauses again; :meth:`wait` waits for that. :meth:`pause` and :meth:`step` end
        it early, but what was asked for stays asked for: the next :meth:`resume` or :meth:`step` goes on with it.
        """
        more = {"last": last, "candidate": candidate, "incoming": plain(incoming), "outgoing": plain(outgoing)}
        given = {"layer": layer} if candidate is None or layer is not None else {}
        return self.apply("add_neuron", **given, **{name: each for name, each in more.items() if each is not None})

    def set_minimizer(self, name: str) -> Any:
        """Let the engine go on with another minimizer; see the engine's ``set_minimizer``."""
        return self.apply("set_minimizer", name)

    def reset(self, **changes: Any) -> Any:
        """Let the engine start over, with some of its settings changed; see the engine's ``reset``.

        The session is paused afterwards, also after a failure.
        """
        return self.apply("reset", **changes)

    def undo(self) -> None:
        """Go back to before the last addition or command; what came after is forgotten. Paused afterwards.

        For a pursuit that is where the network before was trained, and for a saddle flow the event before; of a command
        everything since is undone. Where that moment's state is not kept any more, the one before it.

        Raises
        ------
        RuntimeError
            If there is nothing to undo.
        """
        self._call("undo")

    def branch(self, moment: Moment | None = None) -> Session:
        """A new session, paused, that goes on from a moment; this one stays as it is.

        Parameters
        ----------
        moment
            One of ``history.moments`` whose ``can_go_on`` holds; None for the present.

        Raises
        ------
        TypeError, ValueError
            If it is no such moment.
        """
        if moment is None:
            state, history = self._looked(lambda: (self.engine.state(), self.history.snapshot()))
        else:
            kept, history = self.history.kept(moment), self._looked(self.history.snapshot)
            if kept.state is None:
                raise ValueError(f"moment must be one whose can_go_on holds, got {moment}")
            state = kept.state
            history.back_to(kept)
        engine = copy.copy(self.engine)
        with torch.no_grad():
            engine.restore(state)
        return type(self)._of(engine, history, self._worker.torch_threads)

    def replay(self) -> Engine:
        """Do all again, from the state at the session's beginning: the same commands after the same advances.

        Returns
        -------
        Engine
            A new one, which is bitwise where this session is, or was when ``replay`` was called.
        """
        history = self._looked(self.history.snapshot)
        engine, advances = copy.copy(self.engine), 0
        with torch.no_grad(), own_torch_threads(self._worker.torch_threads):
            engine.restore(history.origin)
            for done in history.log:
                for _ in range(done.advance - advances):
                    engine.advance()
                getattr(engine, done.action)(*done.args, **dict(done.kwargs))
                advances = done.advance
            for _ in range(history.advances - advances):
                engine.advance()
        return engine

    def to_code(self) -> str:
        """A few lines of Python that come to where this session is, in any process.

        The problem is made anew where it is ready-made; for other data there is a line to fill in.
        """
        return written(self._beginning, self.history.story)

    @functools.cached_property
    def _beginning(self) -> list[str]:
        return beginning(self.engine, self.history.origin, self._worker.torch_threads)

    def course(self, name: str = "this session") -> Course:
        """What the session has been since its engine last started over, as arrays; see :class:`Course`."""
        return Course.of(name, self.status, [(kept.frame, kept.seconds) for kept in self.history.all_kept()])

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write everything to one file, for :func:`load`; also while the session runs.

        The file is replaced in one piece: whatever happens meanwhile, it is the old or the new one. Not saved is the
        function behind a problem's targets, ``problem.truth``.

        Raises
        ------
        TypeError
            If something in it cannot be saved, such as an engine of your own.
        OSError
            If the file cannot be written.
        """
        state, history = self._looked(lambda: (self.engine.state(), self.history.snapshot()))
        write(Path(path), self.engine, state, history, self._worker.torch_threads)

    def apply(self, action: str, /, *args: Any, **kwargs: Any) -> Any:
        """Call a method of the engine between two advances, and return what it returns.

        Parameters
        ----------
        action
            The name of a public method that the engine has beside those of :class:`Engine` itself.
        *args, **kwargs
            Its arguments.

        Raises
        ------
        TypeError, ValueError
            If the engine has no such action.
        """
        return self._call("apply", action, *args, **kwargs)


def load(
    path: str | os.PathLike[str], *, problem: Problem | None = None, autosave: str | os.PathLike[str] | None = None
) -> Session:
    """The session that :meth:`Session.save` wrote, paused where it was, on the CPU.

    Nothing in a file is run. On the same kind of processor it goes on bitwise.

    Parameters
    ----------
    path
        The file.
    problem
        Use this problem instead of the one in the file, which lacks the function behind the targets; its data must be
        the same.
    autosave
        As for :class:`Session`.

    Raises
    ------
    FileError
        If the file is no such file, damaged, or of a version that is not known; the message says what is wrong.
    OSError
        If it cannot be read.
    """
    engine, history, torch_threads = read(Path(path), problem)
    return Session._of(engine, history, torch_threads, autosave)
