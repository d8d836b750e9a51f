/** An emoji that can be voted for. */
export interface CatalogueEntry {
  /** With its colons: ":doughnut:". */
  readonly shortcode: string;
  readonly unicode: string;
  /** Of the voting service, that counts its votes: "VoteDoughnut". */
  readonly voteMethod: string;
}

/** The only one whose votes may fail. */
export const DOUGHNUT = ":doughnut:";

/** `name character`, by name. Each name has its method in voting.proto. */
const EMOJIS = `
100 💯
alien 👽
angel 👼
apple 🍎
avocado 🥑
baby_chick 🐤
bacon 🥓
balloon 🎈
banana 🍌
basketball 🏀
bear 🐻
bee 🐝
beer 🍺
bell 🔔
bicycle 🚲
blossom 🌼
bomb 💣
books 📚
bread 🍞
broccoli 🥦
bulb 💡
burrito 🌯
cactus 🌵
cake 🍰
camel 🐫
camera 📷
cat 🐱
cheese 🧀
cherries 🍒
chess_pawn ♟️
chocolate_bar 🍫
cloud ☁️
clown 🤡
coffee ☕
cookie 🍪
cow 🐮
crab 🦀
crown 👑
dancer 💃
diamond 💎
dog 🐶
dolphin 🐬
doughnut 🍩
dragon 🐉
egg 🥚
elephant 🐘
fire 🔥
fish 🐟
flamingo 🦩
fox 🦊
frog 🐸
ghost 👻
gift 🎁
grapes 🍇
guitar 🎸
hamburger 🍔
hammer 🔨
hatching_chick 🐣
heart ❤️
hedgehog 🦔
honey 🍯
horse 🐴
hot_pepper 🌶️
house 🏠
ice_cream 🍨
kiwi 🥝
koala 🐨
ladybug 🐞
lemon 🍋
lion 🦁
lobster 🦞
lollipop 🍭
mango 🥭
maple_leaf 🍁
medal 🏅
moon 🌕
mushroom 🍄
octopus 🐙
owl 🦉
palm_tree 🌴
panda 🐼
parrot 🦜
peach 🍑
penguin 🐧
pineapple 🍍
pizza 🍕
poop 💩
pretzel 🥨
pumpkin 🎃
rabbit 🐰
rainbow 🌈
robot 🤖
rocket 🚀
rose 🌹
sailboat ⛵
sheep 🐑
snowman ⛄
star ⭐
sunflower 🌻
sushi 🍣
taco 🌮
tent ⛺
tiger 🐯
tomato 🍅
trophy 🏆
turtle 🐢
umbrella ☂️
unicorn 🦄
violin 🎻
volcano 🌋
watermelon 🍉
whale 🐳
zebra 🦓
`;

export const CATALOGUE: readonly CatalogueEntry[] = EMOJIS.trim()
  .split("\n")
  .map((line) => {
    const [name = "", unicode = ""] = line.split(" ");
    return { shortcode: `:${name}:`, unicode, voteMethod: `Vote${camelCase(name)}` };
  });

export function findEmoji(shortcode: string): CatalogueEntry | undefined {
  return CATALOGUE.find((entry) => entry.shortcode === shortcode);
}

/** "maple_leaf" is "MapleLeaf". */
function camelCase(name: string): string {
  return name.replaceAll(/(?:^|_)([a-z0-9])/g, (_match, letter: string) => letter.toUpperCase());
}
