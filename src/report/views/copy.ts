import { type CopyMeasurement, copyParts, threadsText } from 'mtcopy/experiments';
import type { Section } from '../model/section.js';
import type { CopyResult } from '../read/result.js';
import type { Source } from '../read/source.js';
import { blockOf } from './blocks.js';
import { hostOf, ofSource, varying } from './charts.js';
import { type Speed, speedCharts, speedMaps, type Wording } from './throughput.js';

const WORDING: Wording = { title: 'Copy throughput', threads: 'worker threads', kind: 'lines' };

export function copySection(sources: readonly Source<CopyResult>[]): Section {
  const speeds = sources.flatMap((source) => speedsOf(source, sources));
  return {
    title: 'mtcopy copy',
    intro: 'Folios are copied from node 0 to node 1. Every run was verified, byte by byte. +1: the caller helps.',
    charts: speeds.length === 0 ? [] : [...speedCharts(speeds, WORDING), ...speedMaps(speeds, WORDING)],
    blocks: sources.map((source) => blockOf(source, sources, ({ results }) => copyParts(results, totalOf(results)))),
  };
}

function totalOf([{ folios, folioBytes }]: readonly CopyMeasurement[]): number {
  return folios * folioBytes;
}

function speedsOf(source: Source<CopyResult>, sources: readonly Source<CopyResult>[]): Speed[] {
  const rows = sources.flatMap(({ result }) => result.results);
  const setting = varying(rows, [
    ({ frames }) => frames,
    ({ method }) => method,
    ({ schedule }) => schedule,
    ({ distribution = '' }) => distribution,
    ({ unitBytes = '' }) => String(unitBytes),
  ]);
  return source.result.results.map((row) => ({
    file: ofSource(source, sources),
    host: hostOf(source, sources),
    folioBytes: row.folioBytes,
    threads: threadsText(row),
    setting: setting(row),
    gbps: row.gbps,
  }));
}
