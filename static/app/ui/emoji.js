/** The emoji that the picker offers: a few hundred that people use, each with words to find it by. Loaded when first needed. */

const LIST = `
Faces
😀 grin smile happy|😃 smile joy|😄 laugh happy|😁 beam grin|😆 laugh|😅 sweat relief|😂 tears laugh joy|🤣 rolling laugh|🙂 slight smile|🙃 upside down|😉 wink|😊 blush|😇 angel halo|🥰 love hearts|😍 heart eyes love|😘 kiss|😋 yum tasty|😜 tongue wink|🤪 zany|🤓 nerd|😎 cool sunglasses|🥳 party|🤔 thinking hmm|🤨 eyebrow doubt|😐 neutral|😑 expressionless|😶 silent|🙄 eye roll|😏 smirk|😬 grimace|😌 relieved|😔 pensive sad|😴 sleep|🤒 ill|🤯 mind blown|😵 dizzy|🥶 cold|🥵 hot|😢 cry sad|😭 sob cry|😤 huff|😠 angry|😡 rage|🤬 swear|😱 scream fear|😨 fear|😳 flushed|🥺 plead|🤗 hug|🤫 hush|🤝 handshake deal|🫡 salute|🫠 melt|🤷 shrug|🤦 facepalm
Hands and people
👍 yes thumbs up plus one good|👎 no thumbs down minus one|👌 ok|✌️ peace victory|🤞 fingers crossed luck|🤘 rock|👋 wave hello bye|👏 clap applause|🙌 raise hooray|🙏 thanks please pray|💪 strong muscle|👀 eyes look|👉 right point|👈 left point|👆 up point|👇 down point|✋ stop hand|🖖 spock|✍️ write|🫶 heart hands|🧑‍💻 developer coder|🕵️ detective|🥷 ninja|🧙 wizard|👻 ghost|🤖 robot bot|👽 alien|💩 poo
Hearts and signs
❤️ heart love red|🧡 heart orange|💛 heart yellow|💚 heart green|💙 heart blue|💜 heart purple|🖤 heart black|💔 broken heart|💯 hundred perfect|✅ check done yes|❌ cross no|⚠️ warning|❗ exclamation|❓ question|➕ plus|➖ minus|⭐ star|🌟 star glow|✨ sparkles new|🔥 fire hot|💥 boom crash|💡 idea bulb|🎯 target goal|🚩 flag red|🏁 finish flag|🆗 ok|🆕 new|🔴 red circle|🟡 yellow circle|🟢 green circle|🔵 blue circle
Celebration and play
🎉 party tada hooray|🎊 confetti|🎈 balloon|🎂 cake birthday|🎁 gift|🏆 trophy win|🥇 gold medal first|🥈 silver medal|🥉 bronze medal|⚽ football|🏀 basketball|🎮 game|🎲 dice|🎵 music note|🎸 guitar|🎬 film|🎨 art|🧩 puzzle
Animals and nature
🐶 dog|🐱 cat|🦊 fox|🐻 bear|🐼 panda|🐧 penguin|🐦 bird|🦀 crab rust|🐙 octopus|🐢 turtle slow|🐛 bug|🐝 bee|🦋 butterfly|🦄 unicorn|🐳 whale docker|🐘 elephant postgres|🌱 seedling|🌲 tree|🌵 cactus|🍀 clover luck|🌸 blossom|🌻 sunflower|🌈 rainbow|☀️ sun|🌧️ rain|⛈️ storm|❄️ snow|🌙 moon|🌍 earth world|🌊 wave
Food and drink
☕ coffee|🍵 tea|🍺 beer|🍷 wine|🥂 cheers toast|🍕 pizza|🍔 burger|🍟 fries|🌮 taco|🍣 sushi|🍜 noodles|🥗 salad|🍎 apple|🍌 banana|🍓 strawberry|🍪 cookie|🍰 cake|🍿 popcorn|🥐 croissant|🧀 cheese
Work and things
🚀 rocket ship launch|💻 laptop|🖥️ computer|📱 phone|⌨️ keyboard|🔧 wrench fix|🔨 hammer|🛠️ tools|⚙️ gear settings|🔒 lock|🔓 unlock|🔑 key|🛡️ shield|📦 package|📌 pin|📎 clip|📝 memo note|📄 page|📈 chart up|📉 chart down|📊 chart bar|📅 calendar|⏰ alarm clock|⏳ hourglass wait|🔔 bell|🔕 mute|📣 megaphone|💬 speech|📧 mail|🔍 search|🧪 test tube|🧹 broom clean|🚧 construction wip|🚨 alarm siren|🏠 home|🏖️ holiday beach|✈️ plane|🚗 car|🚲 bicycle|💰 money|🗑️ trash|♻️ recycle`;

/** @typedef {{emoji: string, words: string}} Emoji */

/** @type {{name: string, emoji: Emoji[]}[]} */
export const GROUPS = LIST.trim().split('\n').reduce((groups, line) => {
  if (/^[A-Z]/.test(line)) return [...groups, { name: line, emoji: /** @type {Emoji[]} */ ([]) }];
  groups[groups.length - 1].emoji.push(...line.split('|').map((entry) => {
    const space = entry.indexOf(' ');
    return { emoji: entry.slice(0, space), words: entry.slice(space + 1) };
  }));
  return groups;
}, /** @type {{name: string, emoji: Emoji[]}[]} */ ([]));
