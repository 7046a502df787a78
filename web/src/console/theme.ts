import { createTheme, type CSSVariablesResolver, type MantineColorsTuple } from '@mantine/core'

// Palette. Meanings stand in console.css; components use meanings only.
const ink: MantineColorsTuple = ['#e9effa', '#d3dff5', '#a9c4f7', '#84a9ef', '#5f8ae0', '#3d6bc9', '#2a56ac', '#1f4b99', '#193d7e', '#132f62']
const night: MantineColorsTuple = ['#e8ebf0', '#c9d0db', '#a9b2c0', '#8b95a5', '#4a5363', '#3a4250', '#181c23', '#14181e', '#12151b', '#0f1217']

export const theme = createTheme({
  primaryColor: 'ink',
  primaryShade: { light: 7, dark: 2 },
  colors: { ink, dark: night },
  defaultRadius: 'md',
  fontFamily: '-apple-system, BlinkMacSystemFont, "Segoe UI", "PingFang SC", "Noto Sans CJK SC", "Noto Sans SC", "Microsoft YaHei", system-ui, sans-serif',
  fontFamilyMonospace: 'ui-monospace, SFMono-Regular, Menlo, "Cascadia Mono", Consolas, "Noto Sans Mono", monospace',
  fontSizes: { xs: '12px', sm: '14px', md: '15px', lg: '17px', xl: '20px' },
  lineHeights: { xs: '1.5', sm: '1.6', md: '1.7', lg: '1.6', xl: '1.5' },
})

// The library's own greys are too faint for small text.
export const variables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    '--mantine-color-body': '#f4f5f7', '--mantine-color-text': '#14181f', '--mantine-color-dimmed': '#5a6371',
    '--mantine-color-placeholder': '#5a6371', '--mantine-color-default-border': '#c9ced6', '--mantine-color-anchor': '#1f4b99', '--mantine-color-error': '#a3241a',
  },
  dark: {
    '--mantine-color-body': '#0f1217', '--mantine-color-text': '#e8ebf0', '--mantine-color-dimmed': '#a9b2c0',
    '--mantine-color-placeholder': '#a9b2c0', '--mantine-color-default': '#181c23', '--mantine-color-default-border': '#3a4250', '--mantine-color-anchor': '#a9c4f7', '--mantine-color-error': '#ffb4a9',
  },
})
