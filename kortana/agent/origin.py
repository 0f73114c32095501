"""What a task's branch has begun from, and which branch it belongs to: it is to be merged into that one alone."""

from kortana.agent.checkout import Checkout
from kortana.agent.git import BusyCheckoutError, git, said


class Origin:
    """Of one task's branch. git's configuration keeps it, and takes it away with the branch."""

    def __init__(self, checkout: Checkout, branch: str) -> None:
        self._checkout, self._branch = checkout, branch
        self._key = f"branch.{branch}.kortanaFrom"

    def begin(self, base: str, belongs_to: str) -> None:
        """The branch begins from a commit. belongs_to: the branch that was checked out; empty where none was."""
        git(self._checkout.root, "config", "--replace-all", self._key, f"{base} {belongs_to}".rstrip())

    def begin_anew(self, base: str) -> None:
        """The branch is about to be moved, or merged, to another commit; until it is, what it had begun from holds."""
        bases, belongs_to = self._recorded()
        if base not in bases:
            with self._checkout.changing(self._branch):
                git(self._checkout.root, "config", "--add", self._key, f"{base} {belongs_to}".rstrip())

    def base(self) -> str:
        """The commit that the branch has begun from; where that is not known, or not in it any more, where it leaves
        what it is to be merged with."""
        root = self._checkout.root
        found = [base for base in self._recorded()[0] if self._checkout.is_in(base, self._branch)]
        if len(found) > 1:
            last = git(root, "merge-base", "--independent", *found).split()
            found = [base for base in found if base in last]
        return found[0] if found else git(root, "merge-base", self.head(), self._branch)

    def head(self) -> str:
        """The commit that it is to be merged with: the tip of the branch that it belongs to, or what is checked out."""
        began = self._began()
        return git(self._checkout.root, "rev-parse", f"refs/heads/{began}") if began else self._checkout.head()

    def belongs_to(self) -> str:
        """The branch that it is to be merged into; empty where that is not known before one is checked out."""
        return self._began() or self._checkout.branch()

    def rewritten(self) -> tuple[str, str] | None:
        """Its base and its head, where the branch that this one belongs to has had the base, and has it no more."""
        base, head = self.base(), self.head()
        if self._checkout.is_in(base, head):
            return None
        return (base, head) if self._began() or self._checkout.had(base, self._checkout.branch()) else None

    def goal(self) -> str:
        """The branch that is checked out, where this one is to be merged into it. Else raises BusyCheckoutError: with
        another one than that which it began from it would take along all that lies between them; and what is merged
        into no branch is gone once a branch is checked out again."""
        bases, began, now = self._recorded()[0], self._began(), self._checkout.branch()
        base = bases[-1] if bases else ""
        if now and (began == now if began else not base or self._is_had(base, now)):
            return now
        where = f"on {now}" if now else "on no branch"
        whose = f"belongs to {began}: check that out" if began else f"began from {base[:12]}: check out what has that"
        told = f"the checkout is {where}, and {self._branch} {whose}, or `git merge {self._branch}` where you want it"
        raise BusyCheckoutError(told)

    def _began(self) -> str:
        """The branch that was checked out when this one began; empty where none was, or it is there no more: what had
        it may have another name now, or have been merged into another."""
        began = self._recorded()[1]
        return began if began and self._checkout.has_reference(f"refs/heads/{began}") else ""

    def _is_had(self, base: str, now: str) -> bool:
        return self._checkout.is_in(base, f"refs/heads/{now}") or self._checkout.had(base, now)

    def _recorded(self) -> tuple[list[str], str]:
        """The commits that the branch has begun from, the last one first, and the branch that was checked out then;
        empty what is not known, as of a branch of the version before."""
        lines = (said(self._checkout.root, "config", "--get-all", self._key) or "").splitlines()
        found = [line.partition(" ") for line in reversed(lines)]
        return [base for base, _, _ in found], found[0][2] if found else ""
