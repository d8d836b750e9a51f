import template from "./page.html" with { type: "text" };

/** The one page there is, which shows the vote or the leaderboard as its address says. */
export function page(messageOfTheDay: string): string {
  // The loader gives the file's text; its declared type is that of another loader.
  return (template as unknown as string).replace("<!-- message of the day -->", escapeHtml(messageOfTheDay));
}

const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"]/g, (character) => ENTITIES[character] ?? character);
}
