"""Headings as people would ask for them: "Configuring the cache" -> "how do I configure the cache".

A heading that fits no rule gives None, so that no bad English gets in. Rules look at the first word, and leave alone
whatever has signs of code, numbers of sections or more than nine words.
"""

import re

# Gerunds whose plain form does not follow from spelling alone.
IRREGULAR = dict(
    pair.split(":")
    for pair in """
    configuring:configure creating:create using:use writing:write changing:change deleting:delete removing:remove
    managing:manage updating:update upgrading:upgrade enabling:enable disabling:disable compiling:compile
    generating:generate moving:move saving:save sharing:share storing:store restoring:restore tuning:tune
    making:make defining:define combining:combine replacing:replace resizing:resize rotating:rotate scaling:scale
    slicing:slice merging:merge parsing:parse browsing:browse closing:close choosing:choose customizing:customize
    customising:customise debugging:debug dealing:deal editing:edit getting:get setting:set running:run
    putting:put planning:plan stopping:stop mapping:map dropping:drop splitting:split committing:commit
    handling:handle initializing:initialize optimizing:optimize organizing:organize preparing:prepare
    producing:produce reusing:reuse synchronizing:synchronize tracing:trace translating:translate
    validating:validate verifying:verify visualizing:visualize evaluating:evaluate executing:execute
    authenticating:authenticate activating:activate assigning:assign duplicating:duplicate excluding:exclude
    including:include importing:import exporting:export invoking:invoke locating:locate navigating:navigate
    rebasing:rebase recording:record releasing:release renaming:rename reducing:reduce resolving:resolve
    retrieving:retrieve specifying:specify subscribing:subscribe undoing:undo hiding:hide calculating:calculate
    embedding:embed formatting:format resetting:reset computing:compute capturing:capture archiving:archive
    """.split()
)
# Gerunds that only lose their -ing.
REGULAR = set(
    """
    accessing adding adjusting applying attaching avoiding blocking booting calling checking cleaning clearing
    collecting connecting converting copying deploying detecting displaying downloading drawing extending
    extracting fetching filtering finding fixing inserting inspecting installing joining listing loading locking
    monitoring opening passing pasting printing protecting querying reading recovering reloading repairing
    reporting reverting searching selecting sending showing signing sorting starting transforming unlocking
    uploading viewing
    """.split()
)
# "Install the server": verbs that open a heading in the imperative, when one of these follows.
IMPERATIVE = set(IRREGULAR.values()) | {gerund[:-3] for gerund in REGULAR}
DETERMINERS = {
    "a",
    "an",
    "the",
    "your",
    "new",
    "another",
    "multiple",
    "custom",
    "existing",
    "individual",
    "several",
    "all",
}
# An object has to follow: "Configuring the cache", not "Working with files" or "Getting started".
NO_OBJECT = {
    "and",
    "or",
    "with",
    "from",
    "in",
    "on",
    "for",
    "by",
    "of",
    "to",
    "via",
    "up",
    "out",
    "started",
    "is",
    "are",
    "vs",
}
ODD = re.compile(r"[^A-Za-z0-9 '\-/.+#]|\.\w|_|\b\d|\bFAQ\b")


def question(heading, number):
    """The heading as a question, or None. `number` picks among wordings that mean the same.

    Capitals stay as they are: the tokenizer drops them.
    """
    heading = heading.strip().rstrip(".:")
    parts = heading.split()
    if not 2 <= len(parts) <= 9 or ODD.search(heading):
        return None
    first, second, rest = parts[0].lower(), parts[1].lower(), " ".join(parts[1:])
    if first == "how" and second == "to" and len(parts) > 3:
        return f"how do I {' '.join(parts[2:])}"
    # A second gerund is mostly a second heading.
    if any(part.lower() in REGULAR or part.lower() in IRREGULAR for part in parts[1:]):
        return None
    verb = IRREGULAR.get(first) or (first[:-3] if first in REGULAR else None)
    if verb is None and first in IMPERATIVE and second in DETERMINERS:
        verb = first
    if verb is None or second in NO_OBJECT:
        return None
    return (f"how do I {verb} {rest}", f"how to {verb} {rest}", f"how can I {verb} {rest}?")[number % 3]
