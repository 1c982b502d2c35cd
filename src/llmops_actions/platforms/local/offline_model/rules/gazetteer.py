"""Names that everybody knows: given names, places, endings of firms, words of job titles."""

from __future__ import annotations

GIVEN_NAMES = frozenset(
    {
        *("Aisha", "Alex", "Alice", "Amara", "Amina", "Ana", "Anders", "Andrea", "Anna", "Antonio", "Ben", "Carla"),
        *("Carlos", "Chen", "Chloe", "Clara", "Claire", "Daniel", "David", "Diego", "Elena", "Elias", "Emily", "Emma"),
        *("Eric", "Eva", "Fatima", "Felix", "Finn", "George", "Grace", "Hana", "Hannah", "Hassan", "Helen", "Henry"),
        *("Ibrahim", "Ingrid", "Irene", "Ivan", "Jack", "James", "Jane", "Jean", "Joao", "Johan", "John", "Jonas"),
        *("Jorge", "Jose", "Julia", "Karen", "Kate", "Kenji", "Kofi", "Lars", "Laura", "Layla", "Lea", "Leila", "Leo"),
        *("Li", "Lin", "Linda", "Lucas", "Lucia", "Luis", "Maria", "Marie", "Mark", "Martin", "Mary", "Maya", "Mei"),
        *("Michael", "Miguel", "Mohammed", "Nadia", "Nina", "Noah", "Nora", "Olga", "Oliver", "Omar", "Paul", "Pedro"),
        *("Peter", "Priya", "Rachel", "Rahul", "Ravi", "Robert", "Rosa", "Ruth", "Samuel", "Sanjay", "Sara", "Sarah"),
        *("Sofia", "Sophie", "Stefan", "Susan", "Tariq", "Thomas", "Tom", "Tomas", "Victor", "Wei", "William"),
        *("Yasmin", "Yuki", "Yusuf", "Zoe"),
    }
)

PLACES = frozenset(
    {
        *(
            "Amsterdam",
            "Athens",
            "Australia",
            "Austria",
            "Barcelona",
            "Belgium",
            "Berlin",
            "Bergen",
            "Boston",
            "Brazil",
        ),
        *("Bristol", "Brussels", "Cairo", "Canada", "Cape Town", "Chicago", "Chile", "China", "Copenhagen", "Denmark"),
        *("Dublin", "Edinburgh", "Egypt", "England", "Finland", "France", "Geneva", "Germany", "Ghana", "Glasgow"),
        *("Greece", "Hamburg", "Helsinki", "India", "Ireland", "Istanbul", "Italy", "Japan", "Kenya", "Lagos", "Leeds"),
        *("Lisbon", "London", "Lyon", "Madrid", "Manchester", "Mexico", "Milan", "Montreal", "Mumbai", "Munich"),
        *("Nairobi", "Naples", "New York", "Nigeria", "Norway", "Oslo", "Ottawa", "Paris", "Peru", "Poland", "Porto"),
        *("Portugal", "Prague", "Rome", "Rotterdam", "Scotland", "Seattle", "Seoul", "Singapore", "Spain", "Stockholm"),
        *("Sweden", "Switzerland", "Sydney", "Tokyo", "Toronto", "Turin", "Vienna", "Wales", "Warsaw", "Zurich"),
    }
)

PLACE_ENDINGS = frozenset({"Bay", "Bridge", "Harbour", "Island", "Lake", "River", "Road", "Square", "Street", "Valley"})

FIRM_ENDINGS = frozenset(
    {
        *("AG", "Airlines", "Associates", "Bank", "Brewery", "Brothers", "Capital", "Co", "Consulting", "Corp"),
        *("Corporation", "Council", "Energy", "Foods", "Foundation", "GmbH", "Group", "Holdings", "Hospital", "Inc"),
        *("Industries", "Institute", "Insurance", "LLC", "Labs", "Limited", "Logistics", "Ltd", "Motors", "Museum"),
        *("Partners", "Pharma", "Railways", "Robotics", "Shipping", "Software", "Solutions", "Systems", "Technologies"),
        *("Union", "University", "Works"),
    }
)

LEGAL_FORMS = r"AG|Co|Corp|Corporation|GmbH|Inc|LLC|Limited|Ltd|Group|Holdings"

TITLE_HEADS = (
    "accountant|actor|administrator|adviser|advisor|analyst|architect|assistant|baker|biologist|captain|chairwoman|"
    "chairman|chair|chef|chemist|clerk|coach|conductor|consultant|coordinator|curator|dentist|designer|developer|"
    "director|driver|editor|electrician|engineer|farmer|geologist|head(?= of )|inspector|"
    "journalist|lawyer|lecturer|librarian|"
    "manager|mechanic|midwife|minister|musician|nurse|officer|painter|pharmacist|photographer|physician|pilot|plumber|"
    "president|producer|professor|programmer|researcher|reporter|scientist|secretary|spokeswoman|spokesman|surgeon|"
    "teacher|technician|translator|treasurer|vet|welder"
)

TITLE_MODIFIERS = (
    "chief|senior|junior|lead|head|deputy|vice|assistant|associate|executive|managing|general|regional|interim|"
    "financial|finance|technology|technical|operating|operations|marketing|sales|data|software|project|product|"
    "human|resources|civil|mechanical|electrical|structural|marine|research|night|ward|staff|school|primary|"
    "secondary|art|artistic|creative|graphic|user|experience|security|safety|quality|plant|site|office|account|"
    "news|photo|copy|train|bus|first|second|communications|science|mathematics|music|night-shift"
)

COMMON_STARTS = frozenset(
    {
        *("a", "after", "all", "although", "an", "and", "as", "at", "before", "both", "but", "by", "call", "contact"),
        *("during", "each", "every", "for", "former", "from", "he", "her", "his", "if", "in", "invoices", "it", "its"),
        *("last", "later", "more", "new", "nobody", "no", "on", "once", "one", "only", "our", "over", "please", "she"),
        *("since", "some", "the", "their", "then", "there", "they", "this", "to", "today", "two", "under", "until"),
        *("we", "when", "while", "with", "write", "you", "your", "yesterday", "that", "these", "three", "next", "ask"),
    }
)
