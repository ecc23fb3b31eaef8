"""The words that the seed and the traffic are made of."""


def _words(text: str) -> list[str]:
    return text.split()


FIRST_NAMES = _words(
    """
    Ada Ahmed Aiko Amara Anna Anton Bea Bruno Carla Chen Clara Dana Daniel Elif Emil Emma Eva
    Farid Felix Fiona Georg Hana Hugo Ida Ines Ivan Jana Jonas Julia Kaya Lars Lea Leon Lina
    Luca Mara Marta Max Mia Milan Nadia Nina Noah Olga Omar Paul Petra Rosa Sami Sara Simon
    Sofia Tara Theo Tom Uma Vera Viktor Yara Zoe
    """
)
LAST_NAMES = _words(
    """
    Abel Adler Albers Bauer Becker Berg Bianchi Brandt Braun Carlsen Costa Diaz Dietz Duarte
    Eriksen Ferrari Fischer Frank Garcia Graf Haas Hansen Hartmann Hoffman Horvat Huber Ibrahim
    Ivanov Jansen Jensen Kaiser Keller Klein Koch Kovac Kraus Lang Larsen Lehmann Lindgren
    Lopez Maier Marino Martin Meyer Moreau Moreno Mueller Nagy Neumann Nielsen Novak Olsen
    Ortiz Petersen Petrov Pohl Ramos Richter Rossi Roth Santos Sauer Schmidt Schulz Silva Simon
    Sommer Stein Suzuki Tanaka Toth Vargas Vogel Wagner Weber Weiss Winkler Wolf Yilmaz Zimmer
    """
)
DEPARTMENTS = {
    "Home": _words(
        """
        Lamps Rugs Cushions Curtains Mirrors Vases Clocks Baskets Candles Frames Shelves Hooks
        """
    ),
    "Kitchen": _words(
        """
        Pans Knives Bowls Mugs Kettles Boards Jars Trays Scales Graters Whisks Aprons
        """
    ),
    "Outdoor": _words(
        """
        Tents Packs Stoves Lanterns Flasks Hammocks Poles Tarps Ropes Coolers Maps Axes
        """
    ),
    "Office": _words(
        """
        Desks Chairs Notebooks Pens Folders Stands Trolleys Boxes Staplers Boards Lamps Bags
        """
    ),
    "Clothing": _words(
        """
        Shirts Jackets Trousers Socks Hats Scarves Gloves Belts Boots Coats Vests Sweaters
        """
    ),
    "Toys": _words(
        """
        Puzzles Blocks Trains Dolls Kites Games Drums Cards Robots Marbles Puppets Balls
        """
    ),
}
ADJECTIVES = _words(
    """
    Amber Arctic Basic Bold Calm Classic Coastal Copper Cosy Crimson Deep Dusty Eastern Fine
    Folded Forest Golden Grand Grey Hazel Heavy Ivory Light Little Lunar Maple Midnight Modern
    Narrow Nordic Oak Olive Pale Pearl Plain Quiet Red River Rough Rustic Sandy Silver Simple
    Slim Smooth Soft Solar Solid Stone Sunny Tall Tidy Travel Urban Velvet Vintage Warm White
    Wide Wild
    """
)
MATERIALS = _words(
    """
    Ash Bamboo Brass Canvas Ceramic Clay Cork Cotton Denim Enamel Felt Flax Glass Hemp Iron
    Jute Leather Linen Marble Nylon Paper Pine Resin Rubber Silk Slate Steel Teak Walnut Wool
    """
)
TAGS = _words(
    """
    bestseller children compact durable eco fairtrade foldable fragile gift handmade heavy
    indoor limited lightweight local modular organic outdoor recycled refurbished repairable
    seasonal spare stackable travel vegan vintage washable waterproof wedding
    """
)
BRAND_STEMS = _words(
    """
    Aldo Bergen Brio Cala Dorn Elva Fjord Gala Halden Isar Juno Kestrel Lumo Mora Nimbus Orla
    Pinta Quill Raven Selva
    """
)
BRAND_ENDINGS = _words(
    """
    Works Sons Studio Living Supply Goods House Co Atelier Brothers Design Trading Lab Craft
    Union Makers Home Store Factory Line
    """
)
COUNTRIES = _words(
    """
    AT BE CH CZ DE DK ES FI FR IT NL NO PL PT SE
    """
)
CITIES = _words(
    """
    Aarhus Antwerp Basel Bergen Bilbao Brno Bruges Cadiz Dresden Esbjerg Gdansk Ghent Graz
    Haarlem Innsbruck Kiel Krakow Leipzig Linz Lyon Malmo Nantes Odense Padua Parma Porto
    Poznan Rennes Siena Tampere Trento Turku Utrecht Uppsala Valencia Vigo Zwolle
    """
)
STREETS = _words(
    """
    Mill Church Station Garden Harbour Market School Bridge Forest Castle King Lake
    """
)

DESCRIPTION_SENTENCES = (
    "Made to be used every day and to look better for it.",
    "The surface is finished by hand, so no two pieces are quite the same.",
    "Wipe clean with a damp cloth and let it dry in the air.",
    "Ships flat, with all the screws and the one tool that you need.",
    "Our most repaired product: every part can be ordered on its own.",
    "Tested for ten thousand cycles in our own workshop.",
    "The colour deepens in the first year and then stays.",
    "Comes in a box without plastic that makes a decent drawer insert afterwards.",
    "Designed together with two schools and a very patient kindergarten.",
    "Light enough to carry with one hand, heavy enough to stay where it is put.",
    "Fits all of the earlier series, except for the first of 2019.",
    "Please keep away from open fire and from curious dogs.",
    "A present that does not need an explanation.",
    "The raw material comes from a family business three hours from here.",
    "Stacks up to six high and still does not wobble.",
    "With a guarantee of five years that we have rarely had to honour.",
    "Also available as a set of four at a lower price.",
    "Size and weight are measured without the packaging.",
    "Not suited for the dishwasher, whatever your flatmate says.",
    "Winner of a small prize of which we are very proud.",
)
REVIEW_TITLES = (
    "Just right",
    "Would buy again",
    "Smaller than expected",
    "A present that arrived in time",
    "Good, with one flaw",
    "Not for me",
    "Better than the old one",
    "Colour differs from the picture",
    "Solid",
    "Sent it back",
)
REVIEW_SENTENCES = (
    "It arrived two days earlier than promised.",
    "The packaging was damaged but the content was fine.",
    "We use it every morning and it still looks new.",
    "The colour is darker than in the picture, which I like.",
    "My sister asked where I had bought it.",
    "After three weeks the first scratch appeared.",
    "The instructions could be clearer.",
    "Customer service answered within an hour.",
    "For the price there is nothing better.",
    "It is heavier than I had thought.",
    "The smell was gone after a week of airing.",
    "One screw was missing, and they sent it at once.",
    "I would have liked it two centimetres wider.",
    "Bought as a gift and kept it myself.",
    "The second one that I bought is as good as the first.",
    "The seam opened, but the guarantee covered it.",
    "It does what it should and nothing else.",
    "I compared four of them, and this was the quiet one.",
    "Delivery took long because of the holidays.",
    "The children love it, the cat does not.",
)
SEARCH_TERMS = _words(
    """
    lamp sofa linen oak bamboo gift travel steel pan mug wool kite box olive leather tent
    vintage clock puzzle scarf chair
    """
)
BROWSERS = tuple(
    f"{browser} on {system}"
    for system in ("Windows 11", "macOS 26", "Linux", "Android 16", "iOS 26")
    for browser in ("Chrome 150", "Firefox 152")
)

BLOCKED_STEMS = _words(
    """
    scam fraud fake crap damn hell idiot stupid moron loser trash garbage junk sucks pathetic
    liar cheat thief crook swindle bogus lousy rotten filthy nasty gross vile awful dumb jerk
    """
)
BLOCKED_ENDINGS = _words(
    """
    s er ers ing ed y ish ness like ster fest face head o a ly est z
    """
)
