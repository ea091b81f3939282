// A page that could not be shown: ask for it again until it can, then show it.

import { mayPass, part, pause } from "./fetching.js";

for (let tries = 0; ; tries += 1) {
  await pause(tries);
  const found = await part(location.href, "").catch((error) => error);
  if (typeof found === "string" || !mayPass(found.status)) break;
}
location.reload();
