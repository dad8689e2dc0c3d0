// Icons are drawn on a grid of 24, with lines of the text's colour.

function icon(...paths: string[]) {
  return () => (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
      {paths.map((d) => (
        <path key={d} d={d} />
      ))}
    </svg>
  );
}

export const Plus = icon("M12 5v14M5 12h14");
export const Bell = icon("M6 9a6 6 0 0 1 12 0c0 6 2 7 2 7H4s2-1 2-7", "M10 20a2 2 0 0 0 4 0");
export const Back = icon("M15 5l-7 7 7 7");
export const Info = icon("M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18", "M12 11v5M12 8v.01");
export const Clip = icon("M20 11.5l-8.2 8.2a5 5 0 0 1-7.1-7.1l8.5-8.5a3.3 3.3 0 0 1 4.7 4.7l-8.5 8.5a1.7 1.7 0 0 1-2.4-2.4l7.8-7.8");
export const Send = icon("M4 12l16-8-5 17-4-7z", "M11 14l9-10");
export const Search = icon("M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14", "M16 16l4.5 4.5");
export const Close = icon("M6 6l12 12M18 6L6 18");
export const Down = icon("M12 5v14M6 13l6 6 6-6");
export const Pin = icon("M9 4h6l-1 6 3 3H7l3-3z", "M12 13v7");
export const Mute = icon("M6 9a6 6 0 0 1 9.5-4.9M18 9c0 6 2 7 2 7H8M4 16s2-1 2-7", "M10 20a2 2 0 0 0 4 0M4 4l16 16");
export const Paper = icon("M7 3h7l5 5v13H7z", "M14 3v5h5");
export const People = icon("M9 5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7", "M3 20c0-4 2.5-6 6-6s6 2 6 6", "M16 5.5a3.5 3.5 0 0 1 0 6.5M18 14.5c2 .8 3 2.7 3 5.5");
