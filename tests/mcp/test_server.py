"""`kortana mcp` against the official SDK's client: every tool, errors, versions, a restart of Kortana in between."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

from tests.e2e.project import PATIENCE_S, Project, eventually
from tests.mcp.raw import Raw, mcp_words

TASKS = [
    {"id": "lint", "title": "Lint", "prompt": "Run the linter.", "paths": ["src/**"], "priority": 90},
    {"id": "docs", "prompt": "Write.", "depends_on": ["lint"]},
    {"id": "clash", "paths": ["src/main.py"]},
]


@pytest.fixture
def up(project: Project) -> Project:
    project.write({"workers": {"idle": {"command": ["sleep", "1000"]}}, "tasks": TASKS})
    project.up()
    return project


@asynccontextmanager
async def client(project: Project, name: str | None = "me") -> AsyncIterator[ClientSession]:
    words, folder = mcp_words(name), str(project.folder)
    server = StdioServerParameters(command=sys.executable, args=words, cwd=folder, env=project.env)
    async with stdio_client(server) as (read, write), ClientSession(read, write) as session:
        await session.initialize()
        yield session


async def call(session: ClientSession, tool: str, **args: Any) -> Any:
    """What the tool gave; a refusal as its text."""
    result = await session.call_tool(tool, args)
    text = result.content[0].text  # type: ignore[union-attr]
    failed = getattr(result, "isError", None) or getattr(result, "is_error", None)
    return text if failed else json.loads(text)


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        await asyncio.wait_for(test(), PATIENCE_S * 2)

    asyncio.run(bounded())


def test_every_tool_from_claim_to_completion(up: Project) -> None:
    async def scenario() -> None:
        async with client(up) as me, client(up, "you") as you:
            names = {tool.name for tool in (await me.list_tools()).tools}
            assert names == {
                "claim_task", "heartbeat", "update_task_status", "report_blocker", "release_task", "list_tasks",
                "get_task", "add_task", "send_message", "read_inbox", "why",
            }  # fmt: skip
            claimed = await call(me, "claim_task")
            assert claimed["task"]["id"] == "lint" and claimed["task"]["prompt"] == "Run the linter."
            denied = await call(you, "claim_task", task_id="lint")
            assert "task_already_leased" in denied and "Next:" in denied
            assert "path_conflict" in await call(you, "claim_task", task_id="clash")
            assert "me holds it" in json.dumps(await call(you, "why", task_id="lint"))
            assert "not_owner" in (await call(you, "release_task", task_id="docs"))
            assert (await call(me, "heartbeat", task_id="lint"))["renewed"].keys() == {"lint"}
            await call(me, "update_task_status", task_id="lint", status="in_progress", progress=40)
            assert (await call(you, "get_task", task_id="lint"))["task"]["progress"] == 40
            await call(me, "report_blocker", task_id="lint", reason="stuck", needs=["clash"])
            told = (await call(you, "read_inbox", wait_s=5))["events"]
            assert any(event["payload"].get("instruction") == "replan" for event in told)
            await call(me, "update_task_status", task_id="lint", status="in_progress")
            await call(me, "update_task_status", task_id="lint", status="completed", result="clean")
            assert (await call(me, "add_task", task_id="extra", title="More", depends_on=["docs"]))["task"][
                "id"
            ] == "extra"
            await call(me, "send_message", to="you", text="look at docs")
            inbox = (await call(you, "read_inbox", wait_s=5))["events"]
            assert any(event["payload"].get("text") == "look at docs" for event in inbox)
            listed = (await call(you, "list_tasks", status="pending"))["tasks"]
            assert {task["id"] for task in listed} == {"docs", "clash", "extra"}
            assert "status: one of" in await call(you, "list_tasks", status="odd")
            assert "task_id is missing" in await call(you, "why")
            for uri in ("kortana://tasks", "kortana://agents", "kortana://events"):
                found = json.loads((await you.read_resource(uri)).contents[0].text)  # type: ignore[arg-type, union-attr]
                assert found[uri.rpartition("/")[2]]

    run(scenario)
    up.down()
    up.call("replay", "--verify")


def test_of_many_tasks_a_model_is_shown_those_that_matter(up: Project) -> None:
    lines = "".join(json.dumps({"id": f"many{n}", "title": "x"}) + "\n" for n in range(130))
    up.call("tasks", "import", "-", input=lines)

    async def scenario() -> None:
        async with client(up) as me:
            await call(me, "claim_task", task_id="many129")
            shown = await call(me, "list_tasks")
            assert len(shown["tasks"]) == 100 and shown["tasks"][0]["id"] == "many129"
            total = sum(shown["by_status"].values())
            assert shown["by_status"]["in_progress"] == 1 and f"{total - 100} more" in shown["more"]
            everything = await call(me, "list_tasks", limit=500)
            assert len(everything["tasks"]) == total and "more" not in everything
            some = await call(me, "list_tasks", status="pending", limit=7)
            assert len(some["tasks"]) == 7 and f"{total - 8} more" in some["more"]
            assert len((await call(me, "list_tasks", limit=-3))["tasks"]) == 1

    run(scenario)


def test_a_lease_is_renewed_while_the_client_lives_and_released_when_it_goes(up: Project) -> None:
    async def scenario() -> None:
        async with client(up) as me:
            await call(me, "add_task", task_id="short", title="x")
            up.call("tasks", "cancel", "lint")
            await call(me, "claim_task", task_id="short")
            token = up.task("short")["lease_token"]
            await call(me, "claim_task", task_id="short", wait_s=0)
            await call(me, "claim_task", task_id="short", wait=0)
            assert up.task("short")["lease_token"] == token
        eventually(lambda: up.task("short")["owner"] is None, "released with the client")

    run(scenario)


def test_short_leases_are_renewed_by_the_server_itself(project: Project) -> None:
    project.write({"workers": {"i": {"command": ["sleep", "1000"]}}, "coordinator": {"lease_ttl": "600ms"},
                   "tasks": [{"id": "t"}]})  # fmt: skip
    project.up()

    async def scenario() -> None:
        async with client(project) as me:
            await call(me, "claim_task")
            renewals = 0
            while renewals < 6:
                await asyncio.sleep(0.05)
                renewals = sum(r["event_type"] == "HEARTBEAT" for r in project.journal())
            assert project.task("t")["owner"] == "me"
            assert not [r for r in project.journal() if r["event_type"] == "LEASE_EXPIRED"]

    run(scenario)


def test_who_claims_again_and_again_keeps_what_it_holds(project: Project) -> None:
    project.write({"workers": {}, "coordinator": {"lease_ttl": "3s"}, "tasks": [{"id": "t"}]})
    project.up()

    async def scenario() -> None:
        async with client(project) as me:
            await call(me, "claim_task", task_id="t")
            seen: set[str] = set()
            while not seen & {"HEARTBEAT", "LEASE_EXPIRED"}:
                await call(me, "claim_task", task_id="other")
                await call(me, "release_task", task_id="other")
                seen = {r["event_type"] for r in project.journal() if r["task_id"] == "t"}
            assert "LEASE_EXPIRED" not in seen

    run(scenario)


def test_a_restart_of_kortana_is_waited_out(up: Project) -> None:
    async def scenario() -> None:
        async with client(up) as me:
            await call(me, "claim_task", task_id="lint")
            os.kill(up.pids()["supervisor"], signal.SIGKILL)
            eventually(lambda: not [p for p in up.processes().values() if "mcp" not in p], "the tree is gone")
            waiting = asyncio.create_task(call(me, "heartbeat", task_id="lint"))
            await asyncio.to_thread(up.up)
            assert "lint" in (await waiting)["renewed"], "a guest's lease lives on over the restart"

    run(scenario)


def test_without_a_kortana_a_call_says_what_to_do(project: Project) -> None:
    project.write({"workers": {"i": {"command": ["sleep", "1000"]}}})

    async def scenario() -> None:
        async with client(project) as me:
            assert (await me.list_tools()).tools
            assert "kortana up" in await call(me, "claim_task")

    run(scenario)


def test_it_finds_a_tree_wherever_its_data_stands(project: Project) -> None:
    project.write({"data_dir": ".kortana/data", "workers": {"i": {"command": ["sleep", "1000"]}}, "tasks": TASKS})
    project.up()

    async def scenario() -> None:
        async with client(project) as me:
            assert (await call(me, "claim_task"))["task"]["id"] == "lint"

    run(scenario)
    (project.folder / "kortana.yaml").rename(project.folder / "team.yaml")
    raw = Raw(project, "-f", "team.yaml")
    raw.ask(1, "initialize", protocolVersion="2025-06-18", capabilities={}, clientInfo={"name": "x", "version": "1"})
    assert not raw.ask(2, "tools/call", name="get_task", arguments={"task_id": "lint"})["result"].get("isError")
    raw.end()
    wrong = Raw(project, "-f", "there.yaml").process
    assert b"there is no there.yaml" in wrong.communicate(timeout=PATIENCE_S)[1] and wrong.returncode == 2


@pytest.mark.parametrize("version", ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2099-01-01"])
def test_it_speaks_every_version(project: Project, version: str) -> None:
    project.write({"workers": {"i": {"command": ["sleep", "1000"]}}})
    raw = Raw(project)
    answer = raw.ask(
        1, "initialize", protocolVersion=version, capabilities={}, clientInfo={"name": "x", "version": "1"}
    )
    assert answer["result"]["protocolVersion"] == (version if version < "2026" else "2025-11-25")
    assert raw.ask(2, "ping")["result"] == {}
    assert raw.ask(3, "nonsense")["error"]["code"] == -32601
    raw.say("this is not JSON")
    assert raw.answer()["error"]["code"] == -32700
    raw.end()
    assert raw.process.returncode == 0


def test_a_request_without_a_proper_id_is_refused_and_a_notification_that_makes_no_sense_passed_over(
    project: Project,
) -> None:
    project.write({"workers": {}})
    raw = Raw(project)
    for request_id in ([], {}, None, True, 1.5):
        raw.say(json.dumps({"jsonrpc": "2.0", "id": request_id, "method": "tools/call", "params": {}}))
        assert (answer := raw.answer())["error"]["code"] == -32600 and answer["id"] is None
    for params in ("x", 5, None, [], {}, {"requestId": []}):
        raw.say(json.dumps({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params}))
    assert raw.ask(1, "ping")["result"] == {}
    raw.end()
    assert raw.process.returncode == 0


def test_what_comes_for_a_reader_that_has_given_up_is_read_by_the_next(up: Project) -> None:
    raw = Raw(up)
    raw.ask(1, "initialize", protocolVersion="2025-06-18", capabilities={}, clientInfo={"name": "x", "version": "1"})
    raw.ask(2, "tools/call", name="read_inbox", arguments={})
    params = {"name": "read_inbox", "arguments": {"wait_s": 25}}
    raw.say(json.dumps({"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": params}))
    raw.say(json.dumps({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 3}}))
    raw.ask(4, "ping")
    up.call("agent", "send", "raw", "hello", "--as", "other")
    found = raw.ask(5, "tools/call", name="read_inbox", arguments={"wait_s": 25})
    events = found["result"]["structuredContent"]["events"]
    assert found["id"] == 5 and [event["payload"]["text"] for event in events] == ["hello"]
    raw.end()


@pytest.mark.parametrize("name", ["two words", "operator"])
def test_a_name_that_no_agent_can_have_is_told_at_once(project: Project, name: str) -> None:
    called = [sys.executable, *mcp_words(name)]
    done = subprocess.run(called, cwd=project.folder, env=project.env, input=b"", capture_output=True, timeout=60)
    assert done.returncode == 2 and f"{name!r} is no agent name" in done.stderr.decode() and not done.stdout


def test_a_batch_is_answered_as_one(up: Project) -> None:
    """As protocol 2025-03-26 asks for; a call that waits is waited for, one that was given up has no answer."""
    raw = Raw(up)
    raw.ask(1, "initialize", protocolVersion="2025-03-26", capabilities={}, clientInfo={"name": "x", "version": "1"})
    up.call("agent", "claim", "lint", "--as", "other")

    def message(method: str, **fields: Any) -> dict[str, Any]:
        return {"jsonrpc": "2.0", "method": method, **fields}

    def claim(number: int, task: str) -> dict[str, Any]:
        params = {"name": "claim_task", "arguments": {"task_id": task, "wait_s": 20}}
        return message("tools/call", id=number, params=params)

    raw.say(json.dumps([claim(2, "clash"), message("ping", id=3), message("notifications/initialized"),
                        "nonsense", message("dance", id=4), claim(5, "lint")]))  # fmt: skip
    eventually(lambda: any(r["source"] == "raw" and r["task_id"] == "lint" for r in up.journal()), "it waits")
    cancelled = {"requestId": 5}
    raw.say(json.dumps([message("notifications/cancelled", params=cancelled)]))
    up.call("agent", "release", "lint", "--as", "other")
    found = raw.answer()
    assert {each["id"]: each.get("error", {}).get("code") for each in found} == {
        2: None, 3: None, 4: -32601, None: -32600
    }  # fmt: skip
    raw.say("[]")
    assert raw.answer()["error"]["code"] == -32600
    assert raw.ask(6, "ping")["result"] == {}
    raw.end()


def test_the_same_call_id_is_the_same_call_and_a_cancelled_wait_holds_nothing(up: Project) -> None:
    raw = Raw(up)
    raw.ask(1, "initialize", protocolVersion="2025-06-18", capabilities={}, clientInfo={"name": "x", "version": "1"})
    meta = {"claudecode/toolUseId": "toolu_1"}
    first = raw.ask(2, "tools/call", name="claim_task", arguments={"task_id": "lint"}, _meta=meta)
    up.call("tasks", "release", "lint")
    again = raw.ask(3, "tools/call", name="claim_task", arguments={"task_id": "lint"}, _meta=meta)
    assert again["result"]["content"] == first["result"]["content"], "the same answer"
    assert up.task("lint")["owner"] is None, "and no second effect"
    up.call("agent", "claim", "clash", "--as", "other")
    params = {"name": "claim_task", "arguments": {"task_id": "clash", "wait_s": 20}}
    raw.say(json.dumps({"jsonrpc": "2.0", "id": 4, "method": "tools/call", "params": params}))
    eventually(lambda: any(r["source"] == "raw" and r["task_id"] == "clash" for r in up.journal()), "it waits")
    raw.say(json.dumps({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 4}}))
    raw.ask(5, "ping")
    up.call("agent", "release", "clash", "--as", "other")
    eventually(lambda: [r["event_type"] for r in up.journal() if r["source"] == "raw"].count("TASK_RELEASE"), "let go")
    eventually(lambda: up.task("clash")["owner"] is None, "nobody holds it")
    raw.say(json.dumps({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 2}}))
    assert raw.ask(6, "ping")["result"] == {}
    raw.end()


def test_within_a_task_there_is_nothing_to_claim_or_to_complete(up: Project) -> None:
    up.call("agent", "claim", "lint", "--as", "raw")
    up.env.update(KORTANA_AGENT="raw", KORTANA_TASK="lint")
    server = Raw(up)
    told = server.ask(1, "initialize", protocolVersion="2025-06-18", capabilities={}, clientInfo={"name": "x"})
    assert "carrying out the task lint" in told["result"]["instructions"]
    tools = {tool["name"]: tool for tool in server.ask(2, "tools/list")["result"]["tools"]}
    assert "report_blocker" in tools and not {"claim_task", "release_task"} & set(tools)

    def call(number: int, name: str, **arguments: Any) -> Any:
        return server.ask(number, "tools/call", name=name, arguments=arguments)["result"]

    refused = call(3, "claim_task")
    assert refused["isError"] and "go on with lint" in refused["content"][0]["text"]
    ended = call(4, "update_task_status", task_id="lint", status="completed")
    assert ended["isError"] and "one of in_progress" in ended["content"][0]["text"]
    assert not call(5, "update_task_status", task_id="lint", status="in_progress", progress=50)["isError"]
    assert up.task("lint")["progress"] == 50 and up.task("lint")["status"] == "in_progress"
    assert server.end() == b""


def test_another_agent_than_the_one_that_has_the_task_is_offered_everything(up: Project) -> None:
    up.env.update(KORTANA_AGENT="other", KORTANA_TASK="lint")
    server = Raw(up)
    server.ask(1, "initialize", protocolVersion="2025-06-18", capabilities={}, clientInfo={"name": "x"})
    assert "claim_task" in [tool["name"] for tool in server.ask(2, "tools/list")["result"]["tools"]]
    assert server.end() == b""
