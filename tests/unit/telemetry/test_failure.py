"""What an ERROR span says of an exception."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest

from partisan_actors import errors
from partisan_actors.telemetry.events import CallStatus
from partisan_actors.telemetry.failure import MESSAGE_CHARS_MAX, STACKTRACE_CHARS_MAX, Failure


class OutOfMoney(Exception):
    pass


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.CallTimeout("Bank/pay", 1.0), CallStatus.TIMEOUT),
        (errors.TaskCancelled("Bank/pay"), CallStatus.CANCELLED),
        (asyncio.CancelledError(), CallStatus.CANCELLED),
        (errors.ActorStopped("Bank", "killed"), CallStatus.ACTOR_DIED),
        (errors.ActorNotFound("Bank"), CallStatus.ACTOR_NOT_FOUND),
        (errors.MailboxFull("Bank", 10), CallStatus.MAILBOX_FULL),
        (errors.Overloaded("n~1", 10), CallStatus.OVERLOADED),
        (errors.ActorUnavailable("Bank", "node down"), CallStatus.NODE_UNREACHABLE),
        (errors.NodeDown("n~1", "gone"), CallStatus.NODE_UNREACHABLE),
        (errors.NoRoute("n~1", "no path"), CallStatus.NODE_UNREACHABLE),
        (errors.SerializationError("argument 1", "x", "a lock"), CallStatus.SERIALIZATION_ERROR),
        (errors.InternalError("bug", "story"), CallStatus.INTERNAL_ERROR),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else str(value),
)
def test_our_own_errors_are_named_by_their_status(error: BaseException, status: CallStatus) -> None:
    failure = Failure.of_call(error)

    assert failure.status is status
    assert failure.error_type == status.value


def test_a_users_exception_is_named_by_its_class_at_both_ends() -> None:
    error = OutOfMoney("3 short")

    at_server = Failure.of_user_code(error, "Traceback of the server")
    at_client = Failure.of_call(errors.TaskFailed.of(error, "Bank/pay", "Traceback of the server"))

    assert at_server == at_client
    assert at_server.status is CallStatus.APPLICATION_ERROR
    assert at_server.error_type == f"{__name__}.OutOfMoney"
    assert at_server.message == "3 short"


def test_a_call_timeout_that_user_code_lets_through_is_the_users_exception() -> None:
    inner = errors.CallTimeout("Ledger/write", 1.0)

    assert Failure.of_user_code(inner, "text").status is CallStatus.APPLICATION_ERROR
    assert Failure.of_call(errors.TaskFailed.of(inner, "Bank/pay", "text")).status is CallStatus.APPLICATION_ERROR


def test_a_builtin_class_is_named_without_its_module() -> None:
    assert Failure.of_user_code(KeyError("k"), "text").error_type == "KeyError"


def test_a_failure_that_went_through_several_actors_is_named_by_what_was_raised_first() -> None:
    inner = errors.TaskFailed.of(OutOfMoney("3 short"), "Bank/pay", "inner text")
    outer = errors.TaskFailed.of(inner, "Teller/sell", "outer text")

    assert Failure.of_user_code(inner, "text").error_type == f"{__name__}.OutOfMoney"
    assert Failure.of_call(outer).error_type == f"{__name__}.OutOfMoney"
    assert Failure.of_call(outer).message == "3 short"


def test_a_cause_that_could_not_travel_leaves_the_error_of_ours() -> None:
    failure = Failure.of_call(errors.TaskFailed(None, "Bank/pay", "Traceback text"))

    assert failure.error_type == "partisan_actors.errors.TaskFailed"
    assert failure.stacktrace == "Traceback text"


def test_a_cancelled_method_is_cancelled_and_not_an_error_of_the_user() -> None:
    assert Failure.of_user_code(asyncio.CancelledError()).status is CallStatus.CANCELLED


def test_the_stacktrace_is_written_when_nobody_has_its_text() -> None:
    try:
        raise OutOfMoney("3 short")
    except OutOfMoney as error:
        failure = Failure.of_user_code(error)

    assert "OutOfMoney: 3 short" in failure.stacktrace
    assert "test_the_stacktrace_is_written" in failure.stacktrace


def test_texts_are_bounded_and_a_stacktrace_keeps_its_end() -> None:
    failure = Failure.of_user_code(OutOfMoney("m" * 5_000), "outer " * 5_000 + "inner")

    assert len(failure.message) == MESSAGE_CHARS_MAX
    assert len(failure.stacktrace) == STACKTRACE_CHARS_MAX
    assert failure.stacktrace.endswith("inner")


def test_an_exception_whose_text_raises_still_gives_a_failure() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no")

    assert "Mute" in Failure.of_user_code(Mute(), "text").message


def test_the_exception_itself_is_not_kept() -> None:
    error = OutOfMoney("x")
    watched = weakref.ref(error)

    failure = Failure.of_user_code(error)
    del error
    gc.collect()

    assert watched() is None
    assert failure.message == "x"
