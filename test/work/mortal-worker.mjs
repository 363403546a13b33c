import work from '../../dist/src/work/worker.js';

/** The worker of the program, with two files that it does not survive and one that it never gets done with. */
export default function mortal(task) {
  const paths = [task.pieces ?? [], task.job?.ranges ?? [], ...(task.batch ?? []).map(({ pieces }) => pieces)]
    .flat()
    .map(({ path }) => path);
  if (paths.some((path) => path?.endsWith('deadly.dcm'))) process.exit(3);
  if (paths.some((path) => path?.endsWith('throws.dcm'))) throw new Error('a fault nobody thought of');
  if (paths.some((path) => path?.endsWith('endless.dcm'))) for (;;);
  return work(task);
}
