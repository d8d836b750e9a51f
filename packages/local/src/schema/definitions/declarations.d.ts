/** Declarations that are imported as text: the published types are what the schemas are made of, at run time too. */
declare module "kubernetes-types/admissionregistration/v1.d.ts" {
  const text: string;
  export default text;
}
declare module "kubernetes-types/api/resource.d.ts" {
  const text: string;
  export default text;
}
declare module "kubernetes-types/apiextensions/v1.d.ts" {
  const text: string;
  export default text;
}
declare module "kubernetes-types/apps/v1.d.ts" {
  const text: string;
  export default text;
}
declare module "kubernetes-types/autoscaling/v1.d.ts" {
  const text: string;
  export default text;
}
declare module "kubernetes-types/batch/v1.d.ts" {
  const text: string;
  export default text;
}
declare module "kubernetes-types/coordination/v1.d.ts" {
  const text: string;
  export default text;
}
declare module "kubernetes-types/core/v1.d.ts" {
  const text: string;
  export default text;
}
declare module "kubernetes-types/discovery/v1.d.ts" {
  const text: string;
  export default text;
}
declare module "kubernetes-types/events/v1.d.ts" {
  const text: string;
  export default text;
}
declare module "kubernetes-types/meta/v1.d.ts" {
  const text: string;
  export default text;
}
declare module "kubernetes-types/networking/v1.d.ts" {
  const text: string;
  export default text;
}
declare module "kubernetes-types/policy/v1.d.ts" {
  const text: string;
  export default text;
}
declare module "kubernetes-types/rbac/v1.d.ts" {
  const text: string;
  export default text;
}
declare module "kubernetes-types/scheduling/v1.d.ts" {
  const text: string;
  export default text;
}
