"""The words that name each look, and one prompt a look that is kept for the evaluation."""

from __future__ import annotations


def listed(text: str) -> tuple[str, ...]:
    """A comma-separated list."""
    return tuple(" ".join(phrase.split()) for phrase in text.split(","))


PHRASES = {
    "neon": listed("""
        neon edges, glowing neon tubes, neon lines, neon outlines on black, neon sign, neon light, neon glow, tron
        lines, glowing contours, luminous outlines, electric cyan and hot magenta lines, laser lines, glowing edges in
        the dark, cyberpunk neon, fluorescent tube light, thin luminous lines, acid green and magenta glow, neon
        drawing, neon tubes, drawn in neon, contours traced by light, cyberpunk city, cyberpunk, synthwave, laser
        show, disco, rave, blade runner, glow sticks, light painting, wireframe, electric light, led strips, glow in
        the dark, vaporwave, techno club lights, blacklight, sparks and halos
    """),
    "pencil": listed("""
        pencil sketch, graphite drawing, pencil drawing, sketched with a pencil, soft pencil strokes, cross-hatching,
        hatched graphite on paper, charcoal and pencil study, hand-drawn sketch, line drawing on white paper,
        sketchbook page, drawn in graphite, pencil lines, sketch, smudged graphite shading, black and white drawing,
        pencil strokes, graphite, charcoal, charcoal drawing, sketched, a drawing on paper, pencil hatching, line art,
        chalk drawing, doodle, hatching, storyboard, a living graphite drawing, biro drawing
    """),
    "comic": listed("""
        comic book, comic, comic book panel, bold ink outlines and flat colours, cartoon, manga panel, graphic novel,
        pop art, halftone comic print, cel shading, cel shaded cartoon, anime, superhero comic, flat saturated colours
        with black outlines, comic strip, heavy black ink outlines, comic panel, ink outlines, animation film, disney
        cartoon, studio ghibli, manga, anime girl, andy warhol, roy lichtenstein, spider-man, vector art, poster art,
        toon, simpsons, screen print, clip art, illustration with flat colours
    """),
    "pixel_art": listed("""
        pixel art, 8-bit, 8-bit video game, pixelated, retro game sprites, 16-bit game graphics, chunky pixels,
        pixels, low resolution pixel art, retro console graphics, arcade game screen, voxel blocks, blocky pixels,
        game boy graphics, minecraft, nintendo, super mario, tetris, sprite, 8 bit, 16 bit, retro gaming, video game,
        lo-fi pixels, low poly, glitch blocks, commodore 64, atari, gameboy, lego bricks
    """),
    "thermal": listed("""
        thermal camera, thermal imaging, heat map, infrared camera, thermal vision, false-colour heat, thermal imaging
        camera, heat signature, predator vision, thermography, heat palette, false-colour thermal palette, infrared
        heat glow, warm body in false colours, thermal imaging footage, heat, heat camera, infrared, lava, fire,
        volcano, flames, burning, plasma, heatmap, magma, inferno, in flames, molten metal, explosion, hot and cold
        colours
    """),
    "night": listed("""
        night, at night, moonlight, moonlit night, dark blue night, midnight, night scene, under the moon, after dark,
        deep night with moonlight, dim blue moonlight, day for night, nocturnal, starless dark night, late at night,
        nighttime, dark, darkness, black forest, gothic, horror film, haunted, noir, film noir, shadow, winter night,
        lunar light, batman, blue hour, twilight, city lights at night, full moon
    """),
    "golden_hour": listed("""
        golden hour, sunset light, low sun, warm amber light, golden light, at sunset, sunset, sunrise, evening sun,
        soft amber light, golden hour photograph, warm golden glow, late afternoon sun, honey-coloured light, warm
        sunlight, low evening sun, dusk, dawn, warm sun, summer evening, desert, sand, honey, gold, golden,
        candlelight, amber, sahara, beach at sunset, warm tones, rim of warm sunlight, fields in low sun, savanna,
        egypt
    """),
    "underwater": listed("""
        underwater, under water, deep under the sea, ocean, submerged, under the sea, aquarium, turquoise water, deep
        under clear tropical water, underwater photography, coral reef, sunken, diving, caustics and bubbles, in the
        ocean, under the waves, sea, deep sea, swimming, mermaid, fish tank, clear tropical water, sunlight through
        water, lagoon, atlantis, jellyfish, shark, bubbles, turquoise haze, aquamarine, submarine, drowned, waves,
        flooded, blue water
    """),
    "vintage": listed("""
        vintage film, silent film, sepia, old photograph, old film, sepia photograph, nineteen-twenties film, 1920s
        movie, antique photograph, faded film, daguerreotype, black and white photography with sepia, retro film
        footage, old movie, film from the twenties, aged photo, archive footage, silent movie, a restored silent film,
        black and white film, western film, old west, charlie chaplin, victorian, antique, nostalgia, brown
        photograph, steampunk, world war footage, retro photo, grandmother's album, seventies film, kodak, parchment,
        coffee stain
    """),
    "ink_wash": listed("""
        ink wash, sumi-e, chinese ink painting, japanese ink painting, ink on rice paper, ink wash painting, brush and
        ink, black ink brush strokes, sumi ink, calligraphy ink, shan shui, monochrome ink wash, india ink, suibokuga,
        ink, black ink, zen painting, japanese calligraphy, japanese painting, chinese scroll, samurai, haiku, tusche,
        oriental painting, brush painting in black, wet ink, ink drawing, ink on wet paper, asian art, bamboo forest
        in ink
    """),
    "black_brush": listed("""
        black brush, thick black brush lines, black brush strokes on yellow, broad black lines, brush and gold, black
        and yellow, ink and gold leaf, bold brush lines on white and yellow, yellow and black, big brush, bee, wasp,
        brush lettering, thick black lines, expressive black lines, franz kline, street art marker, marker lines, gold
        leaf, graffiti marker, zebra, tiger, bold line art in black and gold
    """),
    "electric_strokes": listed("""
        electric strokes, electric blue strokes, psychedelic, strokes of electric blue, wild brush strokes, lsd, acid
        trip, trippy, hallucination, confetti of paint, electric paint, hypnotic, kaleidoscope, abstract, abstract
        expressionism, blue and red strokes, splashes of paint, jackson pollock, action painting, paint explosion,
        chaos, energy, electricity, psychedelic brush strokes, aboriginal art, peacock, dazzle, alien, alien planet,
        surreal, photo negative, negative, inverted colours
    """),
    "red_poster": listed("""
        red poster, red and cream poster, propaganda poster, crimson and cream, soviet poster, constructivism,
        bauhaus, poster in red and cream, vintage poster, travel poster, red screen print, silkscreen in red, stencil,
        banksy, obama hope poster, cherry red, strawberry, rose, valentine, circus poster, red ink print, art deco
        poster, theatre poster, red and white
    """),
    "autumn_oil": listed("""
        autumn oil, oil painting, oil painting in autumn colours, autumn, rust and orange, impasto, expressionism,
        autumn leaves, dabs of orange paint, palette knife, thick oil paint, a painting, painterly, canvas painting,
        oil on canvas, acrylic painting, oils, october, harvest, pumpkin, foliage, kirchner, munch, rust, copper and
        orange, autumn forest, oil paint, painted with a palette knife, rembrandt, brush strokes of colour
    """),
    "bold_oil": listed("""
        bold oil, blue yellow and red, bold primary colours, primary colours on black, fauvism, bold colours, strong
        colours, blue and yellow on black, matisse, mondrian, kandinsky, franz marc, superman, vivid oil colours, deep
        blue and bright yellow, saturated oil paint, parrot, macaw, blazing colours, blue shadows and yellow light,
        carnival, dramatic colours, bold paint
    """),
    "watercolour": listed("""
        watercolour painting, watercolor, watercolour, watercolor painting, wet washes of colour, aquarelle,
        translucent washes, pigment blooms, soft wash painting, painted in watercolour, watercolor on cotton paper,
        delicate aquarelle painting, loose watercolour brush marks, washes of pigment on white paper, watercolour in
        motion, gouache, crayon, coloured pencils, coloured crayons, felt pens, pink and turquoise on white, fashion
        illustration, turner, children's drawing, splashes of colour on white paper, paint on cotton paper, spring
        blossoms, fresh colours
    """),
    "lilac_pastel": listed("""
        lilac pastel, pastel, pastel painting, impressionist painting, impressionism, monet, renoir, soft pastel
        colours, lilac and peach, violet and peach, degas, lavender, lilac, soft impressionist light, chalk pastel,
        water lilies, dreamy pastel, pale violet, spring morning, provence, ballet, pastel chalks, unicorn, candy
        floss, cherry blossom, soft lilac light
    """),
    "green_woodcut": listed("""
        green woodcut, lime and teal, green and red woodcut, linocut in green, lime green, emerald, green, jungle,
        moss, frankenstein, zombie, goblin, the hulk, leaves, forest green, matrix, rainforest, lime and red linocut,
        poison, toxic, swamp, reptile, crocodile, irish, spring green, carved in green, gauguin
    """),
    "blue_wash": listed("""
        blue wash, pale blue wash, pale blue, faded blue watercolour, light blue, washed in pale blue, ice, frozen,
        arctic, winter, frost, snow, mist, fog, cold morning, sky, cloud, porcelain, delft, cyanotype, faint blue
        tones, blueprint, glacier, pale watercolor washes, frozen lake, icy, foggy, light blue haze, antarctica,
        ghost, ghostly, x-ray, xray, x-ray scan, radiograph, medical scan, hologram
    """),
    "stained_glass": listed("""
        stained glass, church window, stained glass window, leaded glass, panes of coloured glass, cathedral window,
        mosaic, mosaic tiles, roman mosaic, ceramic tiles, byzantine mosaic, tesserae, glass tiles, mosaic of coloured
        stones, stained tile mosaic, tiles, tiffany glass, gaudi, patchwork, broken glass, crackle glaze, voronoi,
        cathedral, rose window, butterfly wings, kintsugi, shards of glass, azulejo, puzzle, klimt
    """),
    "woodcut": listed("""
        woodcut, wood carving, carved in wood, brown woodcut, wood engraving, wood block, carving, wooden relief,
        carved wood, durer, old woodcut, bark, oak, teak, burnt into wood, pyrography, medieval woodcut, wood grain,
        carved from pale wood, linocut, lino print, totem, driftwood, walnut, a picture carved in wood, bamboo, cork
    """),
    "blue_swirls": listed("""
        blue swirls, night of blue swirls, starry night, van gogh, vincent van gogh, swirling brush strokes, swirls of
        blue and yellow, swirling sky, post-impressionism, swirling night, blue and yellow swirls, dark blue brush
        strokes, starry sky, swirls, whirls of paint, whirlpool, galaxy, milky way, cypress, wheat field under stars,
        stormy brush strokes, hurricane, space, nebula, swirling paint
    """),
    "red_engraving": listed("""
        red engraving, crimson engraving, red and black, engraved in red, deep red, crimson, red light, blood red, red
        on black, dark red, devil, demon, dracula, vampire, hell, ruby, red ink, darkroom, red lantern, dragon, mars,
        burgundy, scarlet, horror in red, engraving in red ink, blood, apocalypse, crimson etching
    """),
    "cut_paper": listed("""
        cut paper, paper cut-outs, paper collage, pink and blue cut-outs, collage, pop collage, papercut, cut from
        coloured paper, bold cut-outs with black, sky blue and pink, memphis design, eighties design, scissors and
        paper, origami, paper craft, layered paper, pink and sky blue shapes, keith haring, sticker, bubblegum, pop
        shapes, paper shapes, zine, camouflage
    """),
    "cubist": listed("""
        cubist, cubism, cubist painting, picasso, braque, geometric painting, juan gris, cubist portrait, fractured
        planes, angular planes, grey-blue planes, analytical cubism, facets, guernica, modernist painting, leger,
        fragmented, painted in planes, abstract planes with dark contours, futurism, modigliani, chagall, modern art,
        broken planes, nineteen-tens avant-garde
    """),
    "indigo_print": listed("""
        indigo print, japanese print, japanese woodblock print, ukiyo-e, hokusai, great wave, the great wave, indigo
        on cream, indigo ink, woodblock print, block print, blue etching, etching, indigo, navy and cream, hiroshige,
        blue ink print, engraving, copperplate, banknote, denim, blue ink on old paper, tattoo, kabuki, edo period
        print, old engraving, dollar bill, postage stamp
    """),
}  # fmt: skip

# One prompt a look, none of them a training phrase alone; presets are looked at separately with --prompt.
TEST_PROMPTS = {
    "neon": "A face drawn in glowing neon lines against the night",
    "pencil": "A quick pencil sketch of the scene",
    "comic": "bold comic book art, strong outlines",
    "pixel_art": "an 8-bit pixel art game",
    "thermal": "seen through a thermal camera",
    "night": "the same place at night, moonlight",
    "golden_hour": "filmed at golden hour, warm amber light",
    "underwater": "deep underwater, turquoise",
    "vintage": "a vintage film from the twenties, sepia",
    "ink_wash": "a chinese ink wash painting with a wide brush",
    "black_brush": "thick black brush lines on white and yellow",
    "electric_strokes": "wild strokes of electric blue paint, psychedelic",
    "red_poster": "a red and cream propaganda poster",
    "autumn_oil": "an oil painting in autumn colours, thick paint",
    "bold_oil": "bold primary colours, blue, yellow and red on black",
    "watercolour": "a soft watercolour painting of a morning",
    "lilac_pastel": "an impressionist pastel in lilac and peach",
    "green_woodcut": "a green woodcut, lime and teal",
    "blue_wash": "everything washed in pale blue",
    "stained_glass": "a stained glass window in a church",
    "woodcut": "carved in wood, a brown woodcut",
    "blue_swirls": "a night of blue swirls like van gogh",
    "red_engraving": "a crimson engraving, red and black",
    "cut_paper": "pink and sky blue paper cut-outs",
    "cubist": "a cubist portrait, fractured planes",
    "indigo_print": "a japanese woodblock print in indigo",
}
