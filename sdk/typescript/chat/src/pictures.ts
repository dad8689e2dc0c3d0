import type { Client, Schemas } from "@xuangate/sdk";

/** mostPictures bounds how many pictures are held. Without it a long scroll through history holds them all. */
const mostPictures = 60;

/** Pictures fetches pictures with the token, for an <img> cannot send it, and holds those that were asked for last. */
export class Pictures {
  readonly #client: Client;
  readonly #held = new Map<string, Promise<string>>();

  constructor(client: Client) {
    this.#client = client;
  }

  /** url answers an address of the picture, within the page. */
  url(file: Schemas["File"]): Promise<string> {
    const held = this.#held.get(file.Id);
    this.#held.delete(file.Id);
    const url = held ?? this.#client.downloadFile(file).then((blob) => URL.createObjectURL(blob));
    this.#held.set(file.Id, url);
    url.catch(() => this.#held.delete(file.Id)); // asked for again, it is tried again
    const oldest = this.#held.keys().next().value;
    if (this.#held.size > mostPictures && oldest !== undefined) this.#drop(oldest);
    return url;
  }

  clear(): void {
    for (const id of [...this.#held.keys()]) this.#drop(id);
  }

  #drop(id: string): void {
    void this.#held.get(id)?.then(URL.revokeObjectURL, () => {});
    this.#held.delete(id);
  }
}

/** save has the browser put a file into its downloads. */
export async function save(client: Client, file: Schemas["File"]): Promise<void> {
  const url = URL.createObjectURL(await client.downloadFile(file));
  const link = document.createElement("a");
  link.href = url;
  link.download = file.Name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000); // the browser reads it after the click
}
