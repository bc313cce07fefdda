"""The workflow: a draft, a human's approval, a mail to each recipient, a report."""

from datetime import timedelta

from staffa import Discard, Workflow, await_signal, job

RECIPIENTS = {
    "customers": ["ada@example.com", "grace@example.com", "edsger@example.com"],
    "press": ["desk@example.com"],
}
"""In place of a database of recipients."""

SENT: list[tuple[str, str]] = []
"""In place of a mail server: who got what."""


@job(queue="campaign")
def write_draft(subject: str) -> str:
    """Write what is to be sent."""
    return f"{subject}: our lighthouse is open again."


@job(queue="campaign", recorded=True)
async def approve(draft: str) -> str | Discard:
    """Wait for somebody's word; days may pass, in which nothing runs."""
    decision = await await_signal(wait_for=timedelta(days=7), live=1)
    if not decision["approved"]:
        return Discard(f"{decision['by']} said no")
    return str(decision["by"])


@job(queue="campaign")
def find_recipients(groups: list[str], draft: str) -> Workflow:
    """Return a workflow for the recipients as they are now: it takes the place of this step."""
    workflow = Workflow("recipients")
    workflow.put_context({"draft": draft})
    for group in groups:
        addresses = {address: address for address in RECIPIENTS[group]}
        workflow.add_cascade(group, (addresses, send))
    return workflow


@job(queue="mail", max_attempts=5)
def send(address: str, draft: str) -> str:
    """Send a mail."""
    SENT.append((address, draft))
    return address


@job(queue="campaign")
def report(approval: str, recipients: dict[str, dict[str, str]]) -> str:
    """Tell how it went."""
    counts = ", ".join(f"{len(sent)} {group}" for group, sent in recipients.items())
    return f"approved by {approval}, sent to {counts}"


def plan_campaign(subject: str, groups: list[str]) -> Workflow:
    """Return the workflow of a campaign."""
    workflow = Workflow("campaign")
    workflow.put_context({"subject": subject, "groups": groups})
    workflow.add_cascade("draft", write_draft)
    workflow.add_cascade("approval", approve, deps="draft")
    workflow.add_graft("recipients", find_recipients, deps=["draft", "approval"])
    workflow.add_cascade("report", report, deps=["approval", "recipients"])
    return workflow
