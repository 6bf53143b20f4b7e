/** dub packages from dub.json and dub.sdl, which say the same things in two ways. */
import type { DubPackage, Fact, Place } from '../model/project.js';
import {
  DocumentError,
  findEntries,
  findEntry,
  findNode,
  findStrings,
  placeOf,
  textOf,
  type DocumentNode,
} from './document.js';
import { folderOf, isWithin, joinPath, nameOf, type ProjectFiles } from './input.js';
import { readSdl, type SdlTag } from './sdl.js';

/** Every dub package of the unit, sub-packages included. A broken manifest is a gap. */
export function readDubPackages(files: ProjectFiles): readonly DubPackage[] {
  const found: DubPackage[] = [];
  for (const path of files.input.listing) {
    const name = nameOf(path);
    if (
      (name !== 'dub.json' && name !== 'dub.sdl') ||
      !isWithin(path, files.input.root) ||
      /(?:^|\/)(?:\.dub|node_modules)\//.test(path)
    )
      continue;
    if (name === 'dub.json') {
      const document = files.document(path);
      if (document !== undefined) found.push(...fromJson(files, path, folderOf(path), document));
    } else {
      const text = files.text(path);
      if (text === undefined) continue;
      try {
        found.push(...fromSdl(files, path, folderOf(path), readSdl(text), { path, line: 1, column: 1 }));
      } catch (error) {
        if (!(error instanceof DocumentError)) throw error;
        files.broken(path, error.line, error.message);
      }
    }
  }
  return found;
}

function fromJson(files: ProjectFiles, path: string, dir: string, document: DocumentNode): readonly DubPackage[] {
  const name = textOf(findNode(document, 'name'));
  const targetType = findEntry(document, 'targetType');
  const type = textOf(targetType?.value);
  const sourcePaths: string[] = [];
  for (const [key, entry] of findEntries(document)) {
    if (key === 'sourcePaths' || key.startsWith('sourcePaths-'))
      sourcePaths.push(...findStrings(entry.value).map((item) => joinPath(dir, item.value)));
  }
  const configurations = findNode(document, 'configurations');
  const dependencies = new Map<string, Fact<string>>();
  for (const [key, entry] of findEntries(findNode(document, 'dependencies'))) {
    const value =
      textOf(entry.value) ?? textOf(findNode(entry.value, 'version')) ?? textOf(findNode(entry.value, 'path'));
    dependencies.set(key, { value: value ?? '*', ...placeOf(path, entry.key) });
  }
  const own: DubPackage = {
    ...(name === undefined ? {} : { name }),
    dir,
    manifest: path,
    ...(type === undefined || targetType === undefined
      ? {}
      : { targetType: { value: type, ...placeOf(path, targetType.key) } }),
    sourcePaths: sourcePaths.length > 0 ? sourcePaths : defaultSources(files, dir),
    configurations: (configurations?.kind === 'list' ? configurations.items : []).flatMap((item) => {
      const configuration = textOf(findNode(item, 'name'));
      const ownType = textOf(findNode(item, 'targetType'));
      return configuration === undefined
        ? []
        : [
            {
              name: configuration,
              ...(ownType === undefined ? {} : { targetType: ownType }),
              place: placeOf(path, item),
            },
          ];
    }),
    dependencies,
  };
  const children = findNode(document, 'subPackages');
  const inner = (children?.kind === 'list' ? children.items : [])
    .filter((item) => item.kind === 'table')
    .flatMap((item) => fromJson(files, path, dir, item));
  // A sub-package named by its folder has a manifest of its own, which the listing brings.
  return [own, ...inner];
}

function fromSdl(
  files: ProjectFiles,
  path: string,
  dir: string,
  tags: readonly SdlTag[],
  place: Place,
): readonly DubPackage[] {
  const first = (name: string): SdlTag | undefined => tags.find((tag) => tag.name === name);
  const name = first('name')?.values[0];
  const type = first('targetType');
  const typeValue = type?.values[0];
  const sourcePaths = tags
    .filter((tag) => tag.name === 'sourcePaths')
    .flatMap((tag) => tag.values.map((value) => joinPath(dir, value)));
  const dependencies = new Map<string, Fact<string>>();
  for (const tag of tags) {
    const key = tag.name === 'dependency' ? tag.values[0] : undefined;
    if (key !== undefined)
      dependencies.set(key, {
        value: tag.attributes.get('version') ?? tag.attributes.get('path') ?? '*',
        ...placeOf(path, tag),
      });
  }
  const own: DubPackage = {
    ...(name === undefined ? {} : { name }),
    dir,
    manifest: place.path,
    ...(type === undefined || typeValue === undefined
      ? {}
      : { targetType: { value: typeValue, ...placeOf(path, type) } }),
    sourcePaths: sourcePaths.length > 0 ? sourcePaths : defaultSources(files, dir),
    configurations: tags.flatMap((tag) => {
      const configuration = tag.name === 'configuration' ? tag.values[0] : undefined;
      const ownType = tag.children.find((child) => child.name === 'targetType')?.values[0];
      return configuration === undefined
        ? []
        : [
            {
              name: configuration,
              ...(ownType === undefined ? {} : { targetType: ownType }),
              place: placeOf(path, tag),
            },
          ];
    }),
    dependencies,
  };
  const inner = tags
    .filter((tag) => tag.name === 'subPackage' && tag.children.length > 0)
    .flatMap((tag) => fromSdl(files, path, dir, tag.children, placeOf(path, tag)));
  return [own, ...inner];
}

/** dub compiles `source` and `src` when nothing is said. */
function defaultSources(files: ProjectFiles, dir: string): readonly string[] {
  return files
    .foldersIn(dir)
    .filter((name) => name === 'source' || name === 'src')
    .map((name) => joinPath(dir, name));
}
