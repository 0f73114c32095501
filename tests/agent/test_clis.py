"""What the command-line agents' streams say, and what their failures mean."""

import json
from typing import Any

import pytest

from kortana.agent.clis import Cli, Outcome, is_quota, words_beside
from kortana.agent.headless import Ended
from kortana.agent.prompt import PROMPT, render
from tests.agent.streams import read_line


def test_the_prompt_tells_paths_and_results() -> None:
    task = {"id": "t", "title": "T", "prompt": "Do $5.", "paths": ("src/**",)}
    text = render(PROMPT, task, "me", {"dep": "it is blue"})
    assert "src/**" in text and "it is blue" in text and "Do $5." in text


@pytest.mark.parametrize("text", [
    "Error: 429 Too Many Requests", "API Error: Request rejected (429) \u00b7 slow down", "Quota exceeded.",
    "You've hit your session limit \u00b7 resets 6:47pm (UTC)", "You've hit your Opus limit",
    "Credit balance is too low",
    "You've hit your org's monthly usage limit", "You're out of usage credits.", "Your org is out of usage",
    "You\u2019ve hit your usage limit. Upgrade to Pro", "You have exhausted your daily quota on this model.",
    "exceeded retry limit, last status: 429", "Your workspace is out of credits.", "RESOURCE_EXHAUSTED",
    "Selected model is at capacity. Please try a different model.", "Provider is overloaded", "Go usage limit reached",
])  # fmt: skip
def test_what_says_that_a_quota_is_used_up(text: str) -> None:
    """As it stands in Claude Code 2.1.197, codex 0.171.0, Gemini CLI 0.61.0 and opencode 1.18.33."""
    assert is_quota(text)


@pytest.mark.parametrize("text", ["tests failed", "429 tests failed", "context limit reached", "out of memory", ""])
def test_what_says_nothing_of_a_quota(text: str) -> None:
    assert not is_quota(text)


REAL = [
    ("claude", 1, True, "You've hit your session limit", [
        {"type": "rate_limit_event", "rate_limit_info": {"status": "rejected", "rateLimitType": "five_hour"}},
        {"type": "assistant", "error": "rate_limit", "message": {"model": "<synthetic>", "content": [
            {"type": "text", "text": "You've hit your session limit"}]}},
        {"type": "result", "subtype": "success", "is_error": True, "api_error_status": 429,
         "result": "You've hit your session limit", "usage": {"input_tokens": 0, "output_tokens": 0}}]),
    ("claude", 1, True, "", [{"type": "result", "subtype": "success", "is_error": True, "api_error_status": 529,
                              "result": "API Error: 529 no words for it"}]),
    ("claude", 1, False, "API Error: 400 refused", [
        {"type": "assistant", "error": "invalid_request", "message": {"content": []}},
        {"type": "result", "is_error": True, "api_error_status": 400, "result": "API Error: 400 refused"}]),
    ("claude", 1, False, "Reached maximum number of turns (3)", [
        {"type": "result", "subtype": "error_max_turns", "is_error": True,
         "errors": ["Reached maximum number of turns (3)"]}]),
    ("codex", 0, False, "", [
        {"type": "turn.started"}, {"type": "error", "message": "Reconnecting... 1/5 (stream disconnected)"},
        {"type": "item.completed", "item": {"type": "agent_message", "text": "All done."}},
        {"type": "turn.completed", "usage": {"input_tokens": 100, "cached_input_tokens": 40, "output_tokens": 20}}]),
    ("codex", 1, True, "hit your usage limit", [
        {"type": "error", "message": "You\u2019ve hit your usage limit."},
        {"type": "turn.failed", "error": {"message": "You\u2019ve hit your usage limit."}}]),
    ("gemini", 0, False, "", [
        {"type": "error", "severity": "error", "message": "Loop detected, stopping execution"},
        {"type": "result", "status": "success", "stats": {"total_tokens": 120}}]),
    ("gemini", 173, True, "daily quota", [
        {"type": "result", "status": "error", "error": {"type": "unknown", "message":
         "[API Error: You have exhausted your daily quota on this model.]"}, "stats": {"total_tokens": 0}}]),
    ("opencode", 1, True, "exceeded your current quota", [
        {"type": "error", "error": {"name": "APIError", "data": {
            "message": "You exceeded your current quota", "statusCode": 429, "isRetryable": True}}}]),
]  # fmt: skip


@pytest.mark.parametrize(("stream", "code", "quota", "why", "events"), REAL)
def test_streams_of_the_real_programs(
    stream: str, code: int, quota: bool, why: str, events: list[dict[str, Any]]
) -> None:
    outcome = Outcome()
    for event in events:
        read_line(stream, json.dumps(event), outcome)
    ended = Ended(code, outcome, [])
    assert ended.failed is (code != 0) and why in ended.why
    assert not ended.failed or ended.is_quota_spent is quota


def test_tokens_are_all_that_went_through_the_model_also_from_a_cache() -> None:
    usage = {"input_tokens": 3, "cache_creation_input_tokens": 50, "cache_read_input_tokens": 1000, "output_tokens": 7}
    tokens = {"total": 1060, "input": 3, "output": 7, "reasoning": 0, "cache": {"read": 1000, "write": 50}}
    for stream, event in [("claude", {"type": "result", "usage": usage}),
                          ("opencode", {"type": "step_finish", "part": {"tokens": tokens}})]:  # fmt: skip
        outcome = Outcome()
        read_line(stream, json.dumps(event), outcome)
        assert outcome.tokens == 1060


@pytest.mark.parametrize(
    ("stream", "error", "lines", "quota"),
    [
        ("claude", "", ['{"type":"assistant","text":"I wrote the rate limit"}', "Traceback ..."], False),
        ("claude", "", ['{"type":"assistant"}', "Error: usage limit reached"], True),
        ("claude", "Claude AI usage limit reached", [], True), ("codex", "the tests failed", ["rate limit"], False),
        ("text", "", ["the quota of the disk is checked now", "1", "2", "error: no such file"], False),
        ("text", "", ["thinking", "error: rate limit exceeded"], True),
    ],
)  # fmt: skip
def test_a_task_about_quotas_is_no_used_up_quota(stream: str, error: str, lines: list[str], quota: bool) -> None:
    ended = Ended(1, Outcome(error=error), lines, beside=words_beside(Cli((), stream), lines))
    assert ended.failed and ended.is_quota_spent is quota
