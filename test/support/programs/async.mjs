export default async function later() {
  return 1;
}
