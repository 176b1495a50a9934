"""The words that posts are made of. All text of the data set is the project's own."""


def listed(text: str) -> tuple[str, ...]:
    return tuple(text.split("|"))


CATEGORY_ROWS = {  # rows of each category in the original's 11,154; blocks follow one another in this order
    "art": 894,
    "beauty": 748,
    "christmas": 995,
    "diy-and-crafts": 831,
    "education": 863,
    "event-planning": 749,
    "finance": 785,
    "home-decor": 868,
    "mens-fashion": 844,
    "quotes": 911,
    "tattoos": 975,
    "travel": 853,
    "vehicles": 838,
}

THINGS = {
    "art": listed(
        "Watercolour Fox|Ink Harbour|Clay Bird|Linocut Moth|Chalk Portrait|Gouache Garden|Paper Sculpture|Charcoal Hand"
    ),
    "beauty": listed(
        "Braided Bun|Rose Blush|Matte Lip|Winged Eyeliner|Honey Mask|Almond Nails|Curl Routine|Brow Shape"
    ),
    "christmas": listed(
        "Pine Wreath|Advent Calendar|Mantel Garland|Gingerbread Village|Felt Stocking|Star Lantern|Gift Wrap|Tree Skirt"
    ),
    "diy-and-crafts": listed(
        "Macrame Hanger|Painted Pot|Button Mobile|Cork Board|Rope Basket|Folded Crane|Yarn Pompom|Soap Bar"
    ),
    "education": listed(
        "Number Line|Reading Corner|Volcano Experiment|Spelling Game|Shape Hunt|Weather Chart|Fraction Wall|Word Jar"
    ),
    "event-planning": listed(
        "Seating Plan|Balloon Arch|Cake Table|Welcome Sign|Picnic Party|Menu Card|Dance Floor|Guest Book"
    ),
    "finance": listed(
        "Budget Sheet|Savings Jar|Debt Ladder|Tax Folder|Pension Plan|Grocery Budget|Side Income|Emergency Fund"
    ),
    "home-decor": listed(
        "Linen Sofa|Gallery Wall|Reading Nook|Rattan Lamp|Open Shelf|Tiled Hallway|Attic Bedroom|Plant Stand"
    ),
    "mens-fashion": listed(
        "Tweed Jacket|Selvedge Denim|Oxford Shirt|Suede Boot|Knit Tie|Field Coat|Linen Suit|Canvas Sneaker"
    ),
    "quotes": listed(
        "Morning Line|Kind Word|Short Poem|Courage Note|Friendship Saying|Rainy Proverb|Stoic Thought|Letter Ending"
    ),
    "tattoos": listed(
        "Fine-line Fern|Tiny Compass|Koi Sleeve|Script Wrist|Dotwork Moon|Swallow Pair|Peony Shoulder|Geometric Wolf"
    ),
    "travel": listed(
        "Harbour Town|Night Train|Desert Camp|Island Ferry|Mountain Hut|Old Bazaar|Canal Walk|Packing List"
    ),
    "vehicles": listed(
        "Vintage Van|Cargo Bike|Electric Scooter|Rally Coupe|Camper Build|Wooden Boat|Cafe Racer|Farm Truck"
    ),
}

MANNERS = listed(
    "Easy|Bold|Tiny|Modern|Vintage|Cosy|Rustic|Playful|Minimal|Colourful|Handmade|Elegant|Quiet|Clever|Simple|Weekend"
)

NUMBERS = listed("3|5|7|9|10|12|15|21|25|30|50|101")

PROMISES = listed(
    "Ideas You Can Start Today|for Small Spaces|on a Budget|Step by Step|That Last for Years|for Beginners|"
    "We Keep Coming Back To|in One Afternoon|Nobody Told You About|With What You Have at Home"
)

OPENERS = listed(
    "Here is everything we learned about|A slow and careful look at|We tried three ways to make|"
    "My grandmother swore by|Save this for later, a note on|After a year of trial and error with|"
    "What nobody tells you about|A short guide to"
)

MIDDLES = listed(
    "it takes an hour, two cups and some patience|start small, measure twice, and keep the receipt|"
    "the light in the late afternoon does the rest|choose one colour and stay with it|"
    "you will need scissors, tape and a good friend|the second try is always better than the first|"
    "ask around, someone near you has one to spare|keep it simple and it will keep itself"
)

ENDINGS = listed(
    "Read on for the full list.|Tell us how yours turned out!|The pattern is free, the tea is not.|"
    "Photos in the next post.|Pin it before you forget it.|More of this on Sunday.|Which one is yours?|"
    "Links are where you expect them."
)

SEPARATORS = (" | ", "\n", "\r\n", "\n\n", " — ", ', "', " • ", "\t", "; ", " ", " ", " ")

FLOURISHES = listed(  # emoji (with joiners, variation selectors, flags) and scripts other than Latin
    "✨|🌿|🎄🎁|❤️|👩‍🎨|🏳️‍🌈|🚐💨|🇧🇷|☕️|🪡🧵|👍🏽|🧑🏾‍🚒|сделай сам|идеи для дома|ідеї своїми руками|"
    "χειροποίητο|ιδέες για το σπίτι|أفكار للمنزل|خطوة بخطوة|רעיונות לבית|घर की सजावट|आसान तरीका|বাড়ির সাজ|"
    "வீட்டு அலங்காரம்|ไอเดียแต่งบ้าน|手作りのアイデア|簡単レシピ|집 꾸미기|손으로 만든|手工创意|旅行日記|"
    "საკუთარი ხელით|տան գաղափարներ|የቤት ማስጌጫ|ý tưởng trang trí"
)

POSTER_GIVEN = listed(
    "Paper|Silver|Little|Golden|Northern|Velvet|Wild|Copper|Maple|Salt|Indigo|Lemon|Quiet|Bramble|Coral|Juniper|"
    "Zoë|Łucja|Søren|Мария|Ανδρέας|陽子|Ada|Bruno|Carmen|Dario|Elif|Farid|Greta|Hugo|Inês|Jonas|Kiran|Leila|Mateo|"
    "Nadia|Oskar|Priya|Quentin|Rosa|Sanna|Tariq|Ulla|Viktor|Wanda|Ximena|Yusuf|Zelda|Amber|Birch|Clover"
)

POSTER_FAMILY = listed(
    "Fern|Studio|Kitchen|Atelier|Harbour|Lantern|Thimble|Workshop|Orchard|Needle|Compass|Journal|Garage|Attic|"
    "Meadow|Pencil|Teapot|Market|Suitcase|Lindqvist|Okafor|Moreau|Tanaka|Silva|Novak|Haddad|Olsen|Kowalska|Ferrari|"
    "Petrov|O'Neill|Garcia-Lopez|Nguyen|Kaya|Andersson|Mwangi|Rossi|Dubois|Schmidt|Yilmaz|Castellanos"
)

POSTER_STYLES = ("{} {}", "The {} {}", "{} & {} Co.", "{} {} | Daily", "hello, {} {}")

FIRST_NAMES = listed(  # in order: the smallest of several is the one furthest in front
    "Aaron|Abigail|Adele|Agnes|Aisha|Albert|Alice|Amara|Andrea|Anton|Beatrice|Benjamin|Bianca|Boris|Camille|Carlos|"
    "Cecilia|Chidi|Clara|Daniel|Daria|Diego|Dorothy|Edgar|Elena|Emil|Esther|Fatima|Felix|Fiona|Gabriel|Grace|"
    "Hannah|Harold|Hector|Helen|Ibrahim|Irene|Ivan|Jacob|Jasmine|Joan|Jorge|Julia|Karen|Karim|Laura|Leon|Linda|"
    "Lucas|Malik|Margaret|Maria|Martin|Mei|Nadia|Nathan|Nina|Olga|Oliver|Pablo|Paula|Peter|Rachel|Rafael|Ravi|Ruth|"
    "Samuel|Sarah|Simon|Sofia|Tara|Thomas|Ursula|Valerie|Victor|Walter|Wendy|Yara|Zachary"
)

LAST_NAMES = listed(  # in order: the smallest of several is the one furthest in front
    "Abbott|Acosta|Adeyemi|Ahmed|Allen|Alvarez|Baker|Banerjee|Barnes|Bauer|Bennett|Brooks|Calloway|Chen|Clarke|"
    "Cohen|Cruz|Dalton|Diaz|Duncan|Edwards|Ellis|Eriksen|Fischer|Fletcher|Foster|Garcia|Gibson|Gupta|Hansen|Harris|"
    "Hayes|Hughes|Ibarra|Jackson|Jensen|Jordan|Kaplan|Keller|Khan|Larsen|Lawson|Lee|Lopez|Marsh|Mendoza|Miller|"
    "Moore|Nelson|Nguyen|Norris|Ochoa|Olson|Ortiz|Parker|Patel|Perez|Quinn|Ramirez|Reed|Rossi|Sanders|Santos|"
    "Schultz|Silva|Singh|Stone|Tanaka|Taylor|Torres|Turner|Vargas|Wagner|Walsh|Weaver|Xu|Young|Zamora|Zimmerman"
)
