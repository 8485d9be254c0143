"""What a host and its clients say to each other: the bodies of requests and answers, as structs.

The host makes them and the client reads them. A field that a host does not know yet has a
default, and one that a client does not know is skipped, so the two need not be of one version.
"""

from __future__ import annotations

from penstock.api.accounts import (
    AuditView,
    GrantView,
    GroupChange,
    GroupView,
    Login,
    NewGrant,
    NewGroup,
    NewPassword,
    NewToken,
    NewUser,
    SessionView,
    TokenView,
    UserChange,
    UserView,
)
from penstock.api.files import (
    FileView,
    UploadView,
)
from penstock.api.flows import (
    FlowView,
)
from penstock.api.locks import (
    DecisionView,
    LockView,
)
from penstock.api.pages import (
    EventPage,
    Page,
)
from penstock.api.problem import (
    PROBLEM_JSON,
    TYPE_PREFIX,
    Fault,
    Problem,
)
from penstock.api.runs import (
    Cancel,
    ChildView,
    ErrorView,
    GraphView,
    Launch,
    LinkView,
    NodeView,
    NoteView,
    ResultView,
    Retry,
    RunView,
)
from penstock.api.specs import (
    Apply,
    ChangeView,
    SpecView,
)
from penstock.api.times import (
    Moment,
    moment,
)

__all__ = [
    "PROBLEM_JSON",
    "TYPE_PREFIX",
    "Apply",
    "AuditView",
    "Cancel",
    "ChangeView",
    "ChildView",
    "DecisionView",
    "ErrorView",
    "EventPage",
    "Fault",
    "FileView",
    "FlowView",
    "GrantView",
    "GraphView",
    "GroupChange",
    "GroupView",
    "Launch",
    "LinkView",
    "LockView",
    "Login",
    "Moment",
    "NewGrant",
    "NewGroup",
    "NewPassword",
    "NewToken",
    "NewUser",
    "NodeView",
    "NoteView",
    "Page",
    "Problem",
    "ResultView",
    "Retry",
    "RunView",
    "SessionView",
    "SpecView",
    "TokenView",
    "UploadView",
    "UserChange",
    "UserView",
    "moment",
]
