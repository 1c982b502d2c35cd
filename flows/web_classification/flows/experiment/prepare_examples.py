"""The worked examples that the classification prompt shows."""

from promptflow.core import tool


@tool
def prepare_examples() -> list:
    """Examples of every category but None; no page of the datasets is among them."""
    return [
        {
            "url": "https://play.appstore.example/store/apps/details?id=com.starfinder",
            "text_content": "Star map for phone and tablet. Download for Android and iOS, works offline, "
            "in-app premium.",
            "category": "App",
            "evidence": "Both",
        },
        {
            "url": "https://preprints.example/2310.00417",
            "text_content": "We study how bees choose a nest. The article reports two experiments; references, "
            "data and methods are given. The authors thank the university.",
            "category": "Academic",
            "evidence": "Text content",
        },
        {
            "url": "https://watchtube.example/watch?v=aa11bb22cc3",
            "text_content": "A tour of the old harbour. Chapters: start, boats, market.",
            "category": "Video",
            "evidence": "Url",
        },
        {
            "url": "https://glassblowers.example/members/lena",
            "text_content": "I make glass and teach. Based in Turku, available for commissions. My experience: ten "
            "years in two studios. Contact by mail.",
            "category": "Profile",
            "evidence": "Both",
        },
        {
            "url": "https://waterboard.example/rules/wells",
            "text_content": "Rules for private wells, second edition. Section 3 has a table of distances; a form is in "
            "the annex on page 12. Print and sign.",
            "category": "Document",
            "evidence": "Text content",
        },
        {
            "url": "https://harbour-herald.example/story/ferry-strike",
            "text_content": "Ferries stopped on Thursday. Officials said talks would go on; the mayor told our "
            "reporter that police would direct traffic.",
            "category": "News",
            "evidence": "Text content",
        },
        {
            "url": "https://shop.woolandwood.example/product/blanket",
            "text_content": "Wool blanket, three sizes. Order today, delivery in two days. Price 89.00, in stock.",
            "category": "Shopping",
            "evidence": "Both",
        },
    ]
