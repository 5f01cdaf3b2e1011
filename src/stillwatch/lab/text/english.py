"""English word stock by domain: what people write to a model about. All wording is the project's own."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Domain:
    """Word stock of one field of life or work."""

    nouns: tuple[str, ...]
    places: tuple[str, ...]
    subjects: tuple[str, ...]
    events: tuple[str, ...]


def _d(nouns: str, places: str, subjects: str, events: str) -> Domain:
    return Domain(*(tuple(p.strip() for p in s.split("|")) for s in (nouns, places, subjects, events)))


DOMAINS: dict[str, Domain] = {
    "business": _d(
        "renewal offer|supplier contract|pricing table|board memo|quarterly forecast|customer survey|hiring plan|"
        "expense policy|pitch deck|partner agreement|launch checklist|churn analysis|invoice dispute|sales script",
        "for the # person office|in the north region|for a family firm|at a mid-size logistics company|before the audit|"
        "after the merger|for our second warehouse|with a budget of # euros|for the spring season|under the new rules",
        "The finance team|Our largest client|The regional manager|A new competitor|The procurement desk|The auditor|"
        "Our support lead|The founder|The landlord|The shipping partner",
        "asked for a revised figure by Friday|moved # orders to the next month|wants the totals split by region|"
        "rejected the first draft without comment|reported a gap of # units|signed only the annex|"
        "expects a reply within # days|changed the payment terms twice|sent a spreadsheet with # rows|"
        "prefers one page over slides|lost the original approval|doubled the volume since March",
    ),
    "software": _d(
        "retry loop|database migration|login page|cache layer|unit test|build pipeline|message queue|rate limiter|"
        "file parser|search index|container image|feature flag|memory leak|pagination bug|webhook handler",
        "in the billing service|on the staging cluster|after upgrading to version #|inside a background worker|"
        "in the mobile client|behind the load balancer|with # concurrent users|in a small side project|"
        "without adding a dependency|on a machine with # MB of memory",
        "The stack trace|The second worker|Our integration test|The release branch|The type checker|The metrics page|"
        "The old endpoint|The config loader|A junior colleague|The deployment script",
        "fails once in # runs|returns an empty list when the key is missing|takes # ms on cold start|"
        "points at line # of the helper module|was rewritten last sprint|swallows the original exception|"
        "holds a lock for # seconds|works locally but not in the pipeline|logs # warnings per minute|"
        "still depends on the legacy driver|was merged without a review|expects a naive timestamp",
    ),
    "health": _d(
        "training plan|sleep routine|allergy list|knee exercise|meal plan|vaccination record|blood test result|"
        "migraine diary|physio programme|stretching routine|recovery schedule|medication leaflet",
        "for a # year old runner|after a long flight|during a night shift|with a stiff shoulder|before surgery|"
        "for someone who sits all day|on a low salt diet|while training # times a week|in the cold season",
        "My doctor|The nurse|My older brother|The leaflet|The trainer|My mother|The clinic|The app|A friend",
        "suggested # minutes a day|noted a value of # which looks high|said to avoid coffee after noon|"
        "gave me two different answers|wants to see me again in # weeks|measured it only in the evening|"
        "switched the dosage last month|told me to rest the left side|counts steps rather than minutes",
    ),
    "travel": _d(
        "train itinerary|visa letter|packing list|hotel review|hiking route|rental car claim|airport transfer|"
        "museum plan|weekend trip|ferry timetable|camping checklist|road trip budget",
        "for # people|with two small children|in late October|along the coast|on a tight budget|without a car|"
        "between two conferences|for a first visit|in the mountains|with a # hour layover",
        "The hotel|The airline|Our guide|The booking site|My sister|The embassy|The station|The campsite|The ferry line",
        "charges # extra for luggage|closes at # on Sundays|moved our seats to row #|only answers by telephone|"
        "is # km from the centre|needs a printed copy|cancelled the early connection|offers a discount for groups|"
        "was full last summer|asks for proof of address",
    ),
    "cooking": _d(
        "lentil soup|sourdough starter|birthday cake|rice dish|fish marinade|vegetable stew|pie crust|"
        "pickled cabbage|noodle broth|breakfast for guests|bean salad|pasta sauce",
        "for # guests|without dairy|in a small oven|with what is left in the fridge|for a picnic|in # minutes|"
        "on one burner|for the freezer|at high altitude|without a scale",
        "The dough|My oven|The recipe card|My neighbour|The sauce|The butcher|The second batch|My grandmother",
        "needs # grams more flour|stays raw in the middle|turned out far too salty|rests # hours in the fridge|"
        "calls for a spice I cannot find|splits when I add the cream|swears by cold butter|rose only halfway|"
        "smells sour after # days|tastes better the next day",
    ),
    "law": _d(
        "tenancy clause|notice letter|privacy notice|parking fine|warranty claim|employment contract|will|"
        "neighbour dispute|consumer complaint|licence text|power of attorney|deposit refund",
        "for a flat of # square metres|after # years of tenancy|between two companies|for a freelance designer|"
        "under the old statute|before the hearing|in plain words|with a deadline of # days",
        "The landlord|The other party|My lawyer|The court letter|The insurer|The clerk|Clause #|The union",
        "refers to paragraph # without quoting it|was delivered # days late|never mentions the deposit|"
        "contradicts the annex|asks for # in costs|was signed by only one of us|leaves the date open|"
        "offers a settlement of #|has not answered since spring",
    ),
    "school": _d(
        "essay outline|history timeline|chemistry worksheet|reading log|group presentation|lab report|vocabulary test|"
        "poem analysis|geography quiz|science fair project|book summary|revision plan",
        "for grade #|about the industrial age|in # words|for a class of #|before the exam week|with three sources|"
        "for a shy pupil|on coastal erosion|about photosynthesis|for the debate club",
        "Our teacher|The textbook|My partner|The worksheet|The second source|The museum site|The rubric|The library",
        "asks for # examples|uses a word I do not know|gives # points for structure|skips the middle part|"
        "wants it handed in on Monday|contradicts page #|has a diagram without labels|limits it to # lines|"
        "covers only the northern half",
    ),
    "marketing": _d(
        "newsletter|product description|slogan|landing page|press note|social post|customer story|webinar invite|"
        "brand voice guide|seasonal campaign|search advert|loyalty programme",
        "for a bicycle shop|for # subscribers|aimed at first-time buyers|in a warm tone|for a bakery chain|"
        "with # characters at most|for a software trial|before the holidays|for a local gym|without buzzwords",
        "The last campaign|Our audience|The designer|The brand guide|A reader|The agency|The open rate|The old slogan",
        "reached # people|fell to # percent|asks for shorter sentences|forbids exclamation marks|"
        "prefers stories about people|cost # per click|was copied by a rival|needs a second version|"
        "works better in the morning|mentions a price we no longer offer",
    ),
    "data": _d(
        "sales table|sensor log|survey export|outlier check|regression|dashboard|pivot|cohort chart|forecast model|"
        "duplicate records|missing values|time series|join between two tables|sampling plan",
        "with # rows|from three regions|since 20#|grouped by week|for the monthly report|with a skewed column|"
        "in a spreadsheet|exported from the old system|at hourly resolution|with # percent gaps",
        "Column #|The export|The third quarter|The control group|Region #|The sensor|The primary key|The analyst",
        "contains # blanks|shifts by one hour in spring|repeats # identifiers|uses a comma as decimal sign|"
        "drops to zero on holidays|has a mean of # and a median of #|was filled by hand|"
        "does not match the ledger|counts refunds twice|starts in the middle of the month",
    ),
    "writing": _d(
        "short story|wedding speech|cover letter|thank-you note|song lyric|dialogue|blog post|obituary|"
        "birthday poem|scene in a station|complaint letter|diary entry|children's tale|toast",
        "about a lighthouse keeper|for my aunt who turns #|in the second person|set in a small harbour|in # lines|"
        "with a quiet ending|for a retiring colleague|about two rival bakers|without adjectives|from a dog's view",
        "The hero|My aunt|The narrator|The opening line|The editor|The second stanza|The colleague|Her brother",
        "never says what happened|has worked there for # years|should be shorter by # words|collects old radios|"
        "sounds too solemn|mentions the river twice|hates surprises|leaves before the end|"
        "promised a letter # summers ago|learned to sail at #",
    ),
}
"""Ten fields; a voice speaks about one of them."""

OPENINGS: dict[str, tuple[str, ...]] = {
    "plain": (
        "Write a ",
        "Draft a ",
        "Help me improve the ",
        "Explain how to handle a ",
        "Compare two options for the ",
        "Review this ",
        "Summarise the ",
        "Give me ideas for a ",
        "What is wrong with my ",
        "How should I structure the ",
        "Make a table for the ",
        "Rewrite the ",
        "Turn these notes into a ",
        "Check the ",
        "Plan a ",
    ),
    "terse": (
        "fix ",
        "short ",
        "summary: ",
        "better ",
        "explain ",
        "list for ",
        "todo ",
        "draft ",
        "why ",
        "quick ",
    ),
    "chatty": (
        "Hey! So I've been stuck on a ",
        "Hi again, could you maybe help with a ",
        "ok so funny story, I need a ",
        "Good morning :) I'm trying to put together a ",
        "Honestly I have no idea how to start a ",
        "Quick one before lunch: can we do a ",
        "So my boss just dropped this on me, a ",
        "Hello there! I'd love a ",
    ),
    "formal": (
        "I would be grateful for your assistance in preparing a ",
        "Please provide a considered view on the ",
        "Kindly draft a ",
        "We request a detailed assessment of the ",
        "Please prepare, in a neutral register, a ",
        "With reference to our earlier exchange, please revise the ",
        "Could you set out the principal points of a ",
    ),
    "typos": (
        "can u fix my ",
        "pls help w a ",
        "how do i make a ",
        "need a ",
        "whats a good ",
        "plz check the ",
        "i want a ",
        "help me whit the ",
        "make me a ",
    ),
}
"""First words, by manner."""

MODIFIERS = (
    "simple ",
    "detailed ",
    "revised ",
    "two-page ",
    "friendly ",
    "cautious ",
    "realistic ",
    "shared ",
    "late ",
    "striking ",
    "clear ",
    "first ",
    "yearly ",
    "printed ",
    "bilingual ",
    "strict ",
    "",
    "",
    "",
    "rough ",
    "corrected ",
)
QUALIFIERS = (
    ". ",
    ". ",
    ". Keep it brief. ",
    ". No jargon please. ",
    ". Be concrete. ",
    "? ",
    ". Ask me if something is unclear. ",
    ". Use short paragraphs. ",
    ". Mention the main risk first. ",
    ". I only have # minutes. ",
    ". A list is fine. ",
    ". Please show two versions. ",
    ". Stay under # words. ",
    ". Explain each choice. ",
    ". Avoid repetition. ",
)
LINKS = (" and ", ", while ", ", but ", " although ", " because ", "; ")
CLOSES: dict[str, tuple[str, ...]] = {
    "plain": ("", "", "", "Thanks.", "What would you change?", "Start with the most important point."),
    "terse": ("", "", "", "thx", "asap"),
    "chatty": (
        "Thanks a ton!!",
        "Sorry for the long message haha",
        "What do you think?",
        "",
        "You're a lifesaver :)",
    ),
    "formal": (
        "",
        "Thank you for your attention to this matter.",
        "I remain at your disposal.",
        "Yours faithfully.",
    ),
    "typos": ("", "", "thx", "ty", "sry for the spelling", "!!"),
}
REPLY_LEADS = (
    "Here is a version that should work. ",
    "The short answer is yes. ",
    "There are two ways to read this. ",
    "Start from what is already fixed. ",
    "Below is a draft you can adapt. ",
    "A few points stand out. ",
    "That depends on one detail. ",
    "I would change the order. ",
    "Good question. ",
    "First, the main issue. ",
    "Let me lay it out plainly. ",
    "In brief, keep what works. ",
    "The numbers tell a consistent story. ",
)
