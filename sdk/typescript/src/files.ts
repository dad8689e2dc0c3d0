import { noAnswer, problemOf } from "./errors.js";

/** Told again and again while a file is under way: how many bytes have gone, of how many; 0 where that is not known. */
export type Progress = (done: number, total: number) => void;

export interface TransferOptions {
  signal?: AbortSignal;
  onProgress?: Progress;
}

/** upload sends a form and answers what came of it if it worked. Browsers tell how far it is only by XMLHttpRequest; elsewhere fetch does, and progress is told at the end. */
export async function upload(url: string, form: FormData, token: string, ask: typeof fetch, options: TransferOptions, size: number): Promise<Response> {
  const told = options.onProgress && typeof XMLHttpRequest === "function";
  const response = await (told
    ? uploadWithProgress(url, form, token, options)
    : answered(options, () => ask(url, { method: "POST", body: form, ...sent(token, options) })));
  if (!response.ok) throw await problemOf(response);
  if (!told) options.onProgress?.(size, size);
  return response;
}

function uploadWithProgress(url: string, form: FormData, token: string, { signal, onProgress }: TransferOptions): Promise<Response> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const request = new XMLHttpRequest();
    const abort = () => request.abort();
    signal?.addEventListener("abort", abort);
    request.upload.onprogress = (event) => onProgress?.(event.loaded, event.lengthComputable ? event.total : 0);
    request.onload = () => {
      const headers = new Headers();
      for (const name of ["Content-Type", "Retry-After", "X-Request-Id"]) {
        const value = request.getResponseHeader(name);
        if (value) headers.set(name, value);
      }
      resolve(new Response(request.responseText, { status: request.status, headers }));
    };
    request.onerror = () => reject(noAnswer(new TypeError("upload failed")));
    request.onabort = () => reject(signal?.reason);
    request.onloadend = () => signal?.removeEventListener("abort", abort);
    request.open("POST", url);
    request.setRequestHeader("Authorization", `Bearer ${token}`);
    request.send(form);
  });
}

/** download answers a file's bytes. */
export async function download(url: string, token: string, ask: typeof fetch, options: TransferOptions): Promise<Blob> {
  const response = await answered(options, () => ask(url, sent(token, options)));
  if (!response.ok) throw await problemOf(response);
  const total = Number(response.headers.get("Content-Length") ?? 0);
  const type = response.headers.get("Content-Type") ?? "";
  let done = 0;
  const counted = response.body?.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, out) {
        done += chunk.byteLength;
        options.onProgress?.(done, total);
        out.enqueue(chunk);
      },
    }),
  );
  const blob = await answered(options, () => new Response(counted ?? null).blob());
  return new Blob([blob], { type });
}

function sent(token: string, { signal }: TransferOptions): RequestInit {
  return { headers: { Authorization: `Bearer ${token}` }, signal: signal ?? null };
}

/** answered makes what the platform throws when nobody answers an error of ours. */
async function answered<T>({ signal }: TransferOptions, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw signal?.aborted ? signal.reason : noAnswer(error);
  }
}
