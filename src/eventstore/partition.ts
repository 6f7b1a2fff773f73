import { crc32 } from 'node:zlib';

/**
 * The log partition of a routing key: CRC-32 of its UTF-8 bytes modulo the number of partitions, which is fixed when the
 * database is created. Changing this function would lose every stream, so its values are pinned by a test.
 */
export const partitionOf = (key: string, partitions: number): number => crc32(key) % partitions;
