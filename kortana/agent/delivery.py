"""What becomes of a task once its agent has done its part: taken in, and reported."""

import contextlib
from typing import Any

from kortana.agent.answers import Task
from kortana.agent.git import BusyCheckoutError, GitError
from kortana.agent.guarding import objections
from kortana.agent.interface import AgentInterface
from kortana.agent.mailbox import give_back_blocked, say
from kortana.agent.plain import plain
from kortana.agent.work import UnfitWorkError
from kortana.agent.worktree import Worktree

MERGING = "merging"
"""In a task's result: the commit that the repository is about to get."""
INTO = "into"
"""In a task's result: the branch that it goes to, by which it is found there also when its own branch is gone."""
DONE = "done"
"""In a task's result: where its branch was when its agent had done its part, but git could not take that in."""
DETAILS_BYTES = 4 * 1024


class Delivery:
    """Takes in and reports one task, for the holder of its lease. tree: where it was done, if in a worktree of its own;
    merge: whether its branch is to be merged."""

    def __init__(self, agent: AgentInterface, task: Task, tree: Worktree | None, merge: bool) -> None:
        self._agent, self._task, self._tree, self._merge = agent, task, tree, merge

    def go_on(self, result: Any) -> bool:
        """Does what an attempt before has left to do, where its agent had done its part. result: that attempt's.

        Raises GitError.
        """
        tree = self._tree
        if tree is None or not isinstance(result, dict):
            return False
        if self._merge and tree.is_merged(result.get(MERGING), result.get(INTO)):  # it died before it could report so
            _tidy(tree)
            self._report({**result, "merged": True})
            return True
        done = tree.tip() in (result.get(MERGING), result.get(DONE) if tree.is_kept else None)
        if done:
            say(f"{self._task.id}: its work was done before, and is now taken in")
            self.complete(dict(result))
        return done

    def complete(self, result: dict[str, Any]) -> None:
        """Takes in what was changed, and reports the task. Where that cannot be, it fails, or waits for a person."""
        if self._tree is None or self._take_in(result, self._tree):
            self._report(result)

    def fail(self, why: object, result: dict[str, Any] | None = None) -> bool:
        """Reports that it has failed. False."""
        told = shortened(why)
        self._agent.update_task_status(self._task.id, "failed", told, result=result)
        say(f"{self._task.id} failed: {told}")
        return False

    def _take_in(self, result: dict[str, Any], tree: Worktree) -> bool:
        """Commits, and merges where that is wanted. False where it does not end the task, which is told."""
        title = self._task.fields.get("title") or self._task.id
        for name in (MERGING, DONE):
            result.pop(name, None)
        try:
            result["changed"] = tree.commit(f"{self._task.id}: {title}")
            if result["changed"] and self._merge:
                if conflict := tree.follow():
                    return self._fail_to_merge(conflict, result)
                result["changed"] = tree.has_more()
            if not result["changed"]:
                _tidy(tree)
                return True
            if not self._is_covered(result, tree):
                return False
            if not self._merge:
                return True
            if not self._may_merge(result, tree):
                return False
            refused = tree.merge(f"Merge {tree.branch}: {title}")
        except UnfitWorkError as error:
            return self.fail(error, result)
        except BusyCheckoutError as error:
            return self._wait_for_a_person(error)
        except (GitError, OSError) as error:
            if not tree.is_merged(result.get(MERGING), result.get(INTO)):
                with contextlib.suppress(GitError):
                    result[DONE] = tree.tip()
                return self.fail(error, result)
            refused = ""  # what was left to be done is to tidy up
        if refused:
            del result[MERGING]
            return self._fail_to_merge(refused, result)
        result["merged"] = True
        return True

    def _fail_to_merge(self, why: str, result: dict[str, Any]) -> bool:
        """It is the agent's to resolve, in its next attempt."""
        result["merged"] = False
        return self.fail(f"not merged: {why}", result)

    def _is_covered(self, result: dict[str, Any], tree: Worktree) -> bool:
        """Whether its changes may be taken in, as far as `guard` asks; where not, that is told."""
        told = objections(self._agent, tree)
        if not told:
            return True
        say(f"{self._task.id}: guard: {told}")
        return self._agent.welcome["guard"] != "enforce" or self.fail(f"what it has changed is refused: {told}", result)

    def _may_merge(self, result: dict[str, Any], tree: Worktree) -> bool:
        """Says what will be merged, which the coordinator takes from the holder of the lease alone."""
        result[MERGING], result[INTO] = tree.tip(), tree.origin.belongs_to()
        announced = self._agent.update_task_status(self._task.id, "in_progress", result=result)
        if not announced:
            say(f"{self._task.id}: not merged: {announced.reason}")
        return bool(announced)

    def _wait_for_a_person(self, why: object) -> bool:
        """No attempt would fare better before; and none has to do the work again, as it is announced."""
        told = shortened(f"not merged: {why}; then: kortana tasks release {self._task.id}")
        say(f"{self._task.id}: {told}")
        self._agent.report_blocker(self._task.id, told)
        give_back_blocked(self._agent, self._task)
        return False

    def _report(self, result: dict[str, Any]) -> None:
        result = {name: value for name, value in result.items() if name not in (MERGING, DONE)}
        told = (str(result.get("text", "")).strip().splitlines() or ["done"])[-1][:500]
        answer = self._agent.update_task_status(self._task.id, "completed", told, result=result)
        say(f"{self._task.id} completed" if answer else f"{self._task.id}: refused: {answer.reason}")


def shortened(what: object) -> str:
    """For a task's details."""
    return plain(str(what)[:1000], DETAILS_BYTES)


def _tidy(tree: Worktree) -> None:
    """What cannot be removed is no reason to do a task again."""
    try:
        tree.discard()
    except (GitError, OSError) as error:
        say(f"{tree.folder} could not be removed: {error}")
