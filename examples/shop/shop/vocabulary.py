"""The words that the seed makes products, reviews and events from."""

DEPARTMENTS = {
    "Home": "Lamps Rugs Cushions Curtains Mirrors Vases Clocks Baskets Candles Frames Shelves Hooks",
    "Kitchen": "Pans Knives Bowls Mugs Kettles Boards Jars Trays Scales Graters Whisks Aprons",
    "Outdoor": "Tents Packs Stoves Lanterns Flasks Hammocks Poles Tarps Ropes Coolers Maps Axes",
    "Office": "Desks Chairs Notebooks Pens Folders Stands Trolleys Boxes Staplers Boards Lamps Bags",
    "Clothing": "Shirts Jackets Trousers Socks Hats Scarves Gloves Belts Boots Coats Vests Sweaters",
    "Toys": "Puzzles Blocks Trains Dolls Kites Games Drums Cards Robots Marbles Puppets Balls",
}

ADJECTIVES = (
    "Amber Arctic Basic Bold Calm Classic Coastal Copper Cosy Crimson Deep Dusty Eastern Fine "
    "Folded Forest Golden Grand Grey Hazel Heavy Ivory Light Little Lunar Maple Midnight Modern "
    "Narrow Nordic Oak Olive Pale Pearl Plain Quiet Red River Rough Rustic Sandy Silver Simple Slim "
    "Smooth Soft Solar Solid Stone Sunny Tall Tidy Travel Urban Velvet Vintage Warm White Wide Wild"
).split()
MATERIALS = (
    "Ash Bamboo Brass Canvas Ceramic Clay Cork Cotton Denim Enamel Felt Flax Glass Hemp Iron Jute "
    "Leather Linen Marble Nylon Paper Pine Resin Rubber Silk Slate Steel Teak Walnut Wool"
).split()
TAGS = (
    "bestseller children compact durable eco fairtrade foldable fragile gift handmade heavy indoor "
    "limited lightweight local modular organic outdoor recycled refurbished repairable seasonal "
    "spare stackable travel vegan vintage washable waterproof wedding"
).split()
BRAND_STEMS = (
    "Aldo Bergen Brio Cala Dorn Elva Fjord Gala Halden Isar Juno Kestrel Lumo Mora Nimbus Orla "
    "Pinta Quill Raven Selva"
).split()
BRAND_ENDINGS = (
    "Works|& Sons|Studio|Living|Supply|Goods|House|Co|Atelier|Brothers|Design|Trading|Lab|Craft|"
    "Union|Makers|Home|Store|Factory|Line"
).split("|")
COUNTRIES = "AT BE CH CZ DE DK ES FI FR IT NL NO PL PT SE".split()
CITIES = (
    "Aarhus Antwerp Basel Bergen Bilbao Brno Bruges Cadiz Dresden Esbjerg Gdansk Ghent Graz Haarlem "
    "Innsbruck Kiel Krakow Leipzig Linz Lyon Malmo Nantes Odense Padua Parma Porto Poznan Rennes "
    "Siena Tampere Trento Turku Utrecht Uppsala Valencia Vigo Zwolle"
).split()
STREETS = "Mill Church Station Garden Harbour Market School Bridge Forest Castle King Lake".split()

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
SEARCH_TERMS = (
    "lamp linen oak bamboo gift travel steel pan mug wool kite box olive leather tent vintage clock "
    "puzzle scarf chair"
).split()
USER_AGENTS = tuple(
    f"Mozilla/5.0 ({system}) {engine}"
    for system in (
        "Windows NT 10.0; Win64; x64",
        "Macintosh; Intel Mac OS X 10_15_7",
        "X11; Linux x86_64",
        "Linux; Android 16; Mobile",
        "iPhone; CPU iPhone OS 19_1 like Mac OS X",
    )
    for engine in (
        "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Safari/537.36",
        "Gecko/20100101 Firefox/152.0",
    )
)

BLOCKED_STEMS = (
    "scam fraud fake crap damn hell idiot stupid moron loser trash garbage junk sucks pathetic "
    "liar cheat thief crook swindle bogus lousy rotten filthy nasty gross vile awful dumb jerk"
).split()
BLOCKED_ENDINGS = "|s|er|ers|ing|ed|y|ish|ness|like|ster|fest|face|head|o|a|ly|est|z".split("|")
